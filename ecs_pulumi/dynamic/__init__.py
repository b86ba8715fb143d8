"""Pulumi's side of the package: it knows no kind and no URL."""
