"""One revision a module, written by hand."""
