"""What we believe: the plan, its file and its checks."""
