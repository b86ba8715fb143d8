"""One file per kind, read top to bottom: what is wanted, what is observed, how it lives, the public class."""
