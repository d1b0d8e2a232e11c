"""Extended MAPI: its objects and calls, one to one, over any provider (`quintet.mapi.providers.base`).

Start with `MAPILogonEx`, `MAPIAdminProfiles`; `structs` are the structures, `errors` what is raised,
`quintet.mapi.consts` the constants.  No module here knows the server.
"""
