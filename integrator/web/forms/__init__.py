"""Forms as data: which fields a noun has, what was typed into them, and the document that it makes."""
