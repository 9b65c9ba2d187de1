"""The application: command line, web, API, scheduler, workers and the store, on top of the three library floors."""
