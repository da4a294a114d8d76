"""Payload to Match or Fixture, or to quarantine with a reason; the same payload twice changes nothing."""
