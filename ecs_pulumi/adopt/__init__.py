"""`ecs-pulumi adopt`: write a Pulumi program that imports existing objects."""
