"""What several tests share: servers, engines and models that follow a script, and builders of requests."""
