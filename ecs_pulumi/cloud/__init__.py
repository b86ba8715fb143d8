"""Access to the OpenStack API: settings, connection, requests, polling and errors. Independent of Pulumi."""
