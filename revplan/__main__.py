"""`python -m revplan`."""

import os
import sys

# Python puts the current folder first among the places it imports from: a stranger's `json.py` there would run.
if not sys.flags.safe_path and os.path.abspath(sys.path[0]) == os.getcwd():
    del sys.path[0]

from revplan.cli import main

sys.exit(main())
