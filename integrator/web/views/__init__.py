"""One module a noun: guard, one act, an answer."""
