"""Who is there: SASL mechanisms, secrets, app passwords, throttling, certificates from an ACME authority.

`service.AuthService` is the door; `dialogue` is what every protocol puts around it.
"""
