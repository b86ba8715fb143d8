"""The API's side: settings, connection, calls, waits and errors. It knows no Pulumi."""
