"""`python -m ecs_pulumi.adopt`: write a Pulumi program that imports existing objects."""
