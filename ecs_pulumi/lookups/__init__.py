"""Lookups of existing objects, such as flavors, images and networks, that a program calls while it runs.

Every lookup is a plain function. It has a variant with the suffix `_output`, which also accepts the outputs of
resources and returns an output.
"""
