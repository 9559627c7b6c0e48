"""How it is played with: a plan's scenarios on sliders, without code."""
