"""Protection of people from misuse of the service: rate and recipient limits, proof of work, attack detection."""
