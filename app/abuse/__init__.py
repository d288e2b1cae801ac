"""What keeps strangers from using the service against people: limits, proof of work, and detection of attacks."""
