"""Boxes and masks as plain arrays: numpy and the standard library only."""
