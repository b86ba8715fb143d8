"""The Pulumi side of the package. It contains nothing specific to a resource kind or to the cloud's APIs."""
