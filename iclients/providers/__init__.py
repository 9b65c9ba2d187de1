"""Providers that come with the product: one module each, none imports another."""
