"""`python -m ecs_pulumi.adopt`: a Pulumi program for what exists in the cloud already."""
