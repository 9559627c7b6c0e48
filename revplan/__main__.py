"""`python -m revplan`."""

import sys

from revplan.cli import main

sys.exit(main())
