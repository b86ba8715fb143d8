"""The kinds of resources, one module for each: its schema (inputs and outputs) and its handler."""
