"""Whether the people suffice: what binds month by month, who must be hired, what one more is worth."""
