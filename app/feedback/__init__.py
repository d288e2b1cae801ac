"""Feedback as it reaches us, in many shapes: each reader turns one shape into `app.subscriptions.feedback.Report`."""
