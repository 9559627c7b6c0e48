"""What we believe: the plan and its checks; its file is read beside the others, in `crm/planfile.py`."""
