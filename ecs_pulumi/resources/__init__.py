"""The resource handlers, one module for each kind: its inputs and outputs, its handler and its public class."""
