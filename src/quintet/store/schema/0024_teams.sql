CREATE TABLE team (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE team_member (
    team TEXT NOT NULL REFERENCES team ON DELETE CASCADE,
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    PRIMARY KEY (team, account_id)
) WITHOUT ROWID;
CREATE INDEX team_member_by_account ON team_member (account_id);
-- Accounts that are given rights together: a row of `access` names a team as "$" and its name.
