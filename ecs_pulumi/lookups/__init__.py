"""What the cloud has already: flavors, images, networks and so on, looked up by a program while it runs.

Every lookup is a plain function, and has a twin whose name ends in `_output`: that one takes the outputs of
resources as well, and returns an output.
"""
