"""What each block of a chip does with time and energy."""
