"""Drawings of numbers with pyqtgraph. Only pages that draw import this package: it takes a moment."""
