"""`quintet sendmail`: stands in the help here; its words go to `admin.sendmail.program` as they are."""

from __future__ import annotations

from typing import Annotated

import typer


def sendmail(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="OPTION|RECIPIENT", help="As the program sendmail has them."),
    ] = None,
) -> None:
    """Send the message on standard input, as sendmail(8) does; made for programs.

    -t               recipients from To, Cc and Bcc
    -i, -oi          a dot alone on its line is text
    -f ADDRESS       envelope sender
    -F NAME          for a missing From
    -N WHEN          reports: never, or of success,failure,delay (RFC 3461)
    -R full|hdrs     what a report returns
    -V ID            what a report is known by
    -bs              SMTP on standard input and output
    -bv              only check the recipients
    -bp              show the queue
    -q               try the queue now; -qRDOMAIN, -qRADDRESS, -qSSENDER,
                     -qINUMBER: that of it
    -C FILE          configuration
    -v               tell what happens

    Other options of sendmail are taken and ignored. Installed (linked) as
    sendmail, mailq or newaliases it is that program.

    Nothing is sent when a recipient is refused. Exit codes are those of
    sysexits.h: 0 sent, 64 usage, 65 data, 67 no such user, 68 no such host,
    69 refused, 75 try again, 77 not permitted, 78 configuration.
    """
    from quintet.admin.sendmail import program  # only what is called

    raise typer.Exit(program.main(words or []))


def register(app: typer.Typer) -> None:
    app.command(
        "sendmail",
        context_settings={
            "ignore_unknown_options": True,
            "allow_interspersed_args": False,
            "help_option_names": ["--help"],
        },
    )(sendmail)
