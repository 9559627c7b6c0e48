"""What the company's own history says of a plan's assumptions."""
