// What a user of Thunderbird does, one verb each; tests/support/thunderbird.py calls them in the main window.
// A verb returns plain data and throws where Thunderbird reports a failure or LONGEST_MS pass in vain.
/* global Cc, Ci, ChromeUtils, Services, document, msgWindow, setTimeout */

const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const { NetUtil } = ChromeUtils.importESModule("resource://gre/modules/NetUtil.sys.mjs");
const LONGEST_MS = 20000;
const POLL_MS = 20;
const BUSY = 0x8055000a; // NS_MSG_FOLDER_BUSY
const FORGOTTEN_MS = 1500;
const SECURITY = { none: 0, starttls: 2, tls: 3 };
const METHODS = { password: 3, certificate: 7, oauth: 10 };
const GONE = 0x8; // nsMsgMessageFlags.IMAPDeleted is 0x00200000; Expunged is this
const IMAP_DELETED = 0x200000;

const pause = ms => new Promise(go => setTimeout(go, ms));

/** Waits until `what` gives something true, and gives it. */
async function until(what, name) {
  for (let waited = 0; waited < LONGEST_MS; waited += POLL_MS) {
    const got = await what();
    if (got) {
      return got;
    }
    await pause(POLL_MS);
  }
  throw new Error(`in vain: ${name}`);
}

async function within(promise, name) {
  let ended = false;
  promise.finally(() => (ended = true)).catch(() => {});
  await until(() => ended, name);
  return promise;
}

/** A listener of any kind of Thunderbird's, with a promise of its end. */
function listener(kind, ended) {
  const made = {
    OnStartRunningUrl() {},
    onStartCopy() {},
    onProgress() {},
    setMessageKey() {},
    getMessageId: () => null,
    onSearchHit() {},
    onNewSearch() {},
    kind,
    QueryInterface: ChromeUtils.generateQI([kind]),
  };
  made.promise = new Promise((resolve, reject) => {
    made[ended] = (first, second) => {
      const code = typeof first == "number" ? first : second;
      if (code) {
        reject(new Error(`${kind} ended with 0x${code.toString(16)}`));
      } else {
        resolve();
      }
    };
  });
  return made;
}
const urlListener = () => listener("nsIUrlListener", "OnStopRunningUrl");
const copyListener = () => listener("nsIMsgCopyServiceListener", "onStopCopy");

function server(key) {
  return MailServices.accounts.getAccount(key).incomingServer;
}

/** The folder at a path like "Work/2025"; null where there is none. */
function at(key, path) {
  let folder = server(key).rootFolder;
  for (const name of path ? path.split("/") : []) {
    folder = folder?.subFolders.find(each => each.name.toLowerCase() == name.toLowerCase());
  }
  return folder ?? null;
}

function folderAt(key, path) {
  const folder = at(key, path);
  if (!folder) {
    throw new Error(`no folder ${path}`);
  }
  return folder;
}

function chosen(folder, subjects) {
  const all = new Map([...folder.messages].reverse().map(each => [each.mime2DecodedSubject, each]));
  return subjects.map(subject => {
    const found = all.get(subject);
    if (!found) {
      throw new Error(`no message ${subject} in ${folder.name}`);
    }
    return found;
  });
}

function row(header) {
  return {
    key: header.messageKey,
    subject: header.mime2DecodedSubject,
    author: header.mime2DecodedAuthor,
    size: header.messageSize,
    read: header.isRead,
    flagged: header.isFlagged,
    answered: Boolean(header.flags & 2),
    deleted: Boolean(header.flags & IMAP_DELETED),
    keywords: header.getStringProperty("keywords"),
  };
}

const verbs = {
  /** Makes an account; `more` are preferences of its server. Gives its key. */
  async account(kind, user, host, port, security, method, password, more = {}) {
    const made = MailServices.accounts.createIncomingServer(user, host, kind);
    made.port = port;
    made.socketType = SECURITY[security];
    made.authMethod = METHODS[method];
    if (password) {
      made.password = password;
    }
    for (const [name, value] of Object.entries(more)) {
      if (typeof value == "boolean") {
        made.setBoolValue(name, value);
      } else if (typeof value == "number") {
        made.setIntValue(name, value);
      } else {
        made.setStringValue(name, value);
      }
    }
    const identity = MailServices.accounts.createIdentity();
    identity.email = user;
    identity.fullName = "Alice Liddell";
    const account = MailServices.accounts.createAccount();
    account.incomingServer = made;
    account.addIdentity(identity);
    return account.key;
  },

  /** Does what "Confirm Security Exception" does: trusts this certificate (PEM, without its armour) for a port. */
  async trust(host, port, pem) {
    const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
    const overrides = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
    overrides.rememberValidityOverride(host, port, {}, database.constructX509FromBase64(pem), true);
  },

  /** Finds the folders, as a click on the account does. */
  async discover(key) {
    const root = server(key).rootFolder;
    server(key).performExpand(msgWindow);
    await until(() => root.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox), "an inbox");
    await until(() => root.getFolderWithFlags(Ci.nsMsgFolderFlags.Trash), "a trash");
    return verbs.folders(key);
  },

  async folders(key) {
    return server(key).rootFolder.descendants.map(folder => ({
      path: decodeURIComponent(new URL(folder.URI).pathname.slice(1)),
      name: folder.name,
      flags: folder.flags,
      total: folder.getTotalMessages(false),
      unread: folder.getNumUnread(false),
    }));
  },

  /** Opens a folder in the main window, waits until it is up to date, and gives its messages. */
  async open(key, path) {
    const folder = folderAt(key, path).QueryInterface(Ci.nsIMsgImapMailFolder);
    await until(async () => {
      // a folder that is being updated just now forgets the listener
      const done = urlListener();
      folder.updateFolderWithListener(null, done);
      return Promise.race([done.promise.then(() => true), pause(FORGOTTEN_MS)]);
    }, `${path} updated`);
    const pane = document.getElementById("tabmail").currentAbout3Pane;
    pane.displayFolder(folder);
    await until(() => pane.gFolder == folder && pane.gDBView, `${path} displayed`);
    return verbs.messages(key, path);
  },

  /** Closes a folder and every connection, as going offline or sleeping does. */
  async leave(key, path) {
    document.getElementById("tabmail").currentAbout3Pane.displayFolder(server(key).rootFolder);
    server(key).closeCachedConnections();
    await pause(POLL_MS);
  },

  async messages(key, path) {
    return [...folderAt(key, path).messages].filter(each => !(each.flags & GONE)).map(row);
  },

  /** Waits until a folder, by itself, shows this many messages. */
  async shows(key, path, count) {
    await until(() => [...folderAt(key, path).messages].length == count, `${count} messages in ${path}`);
    return verbs.messages(key, path);
  },

  /** Shows a message of the open folder in the message pane, and gives the text that is seen. */
  async read(key, path, subject) {
    const pane = document.getElementById("tabmail").currentAbout3Pane;
    const [header] = chosen(folderAt(key, path), [subject]);
    const index = await until(() => {
      const found = pane.gDBView.findIndexOfMsgHdr(header, true);
      return found == 0xffffffff ? null : { found };
    }, `${subject} in the list`);
    pane.threadTree.selectedIndex = index.found;
    const browser = pane.messageBrowser.contentWindow.getMessagePaneBrowser();
    return until(() => {
      const text = browser.contentDocument?.body?.textContent ?? "";
      return browser.currentURI.spec.includes(`%3E${header.messageKey}`) || /number=|\/;UID=/.test(browser.currentURI.spec) ? text : null;
    }, `${subject} displayed`);
  },

  /** The whole message as it came from the server. */
  async source(key, path, subject) {
    const folder = folderAt(key, path);
    const [header] = chosen(folder, [subject]);
    const uri = folder.getUriForMsg(header);
    const service = MailServices.messageServiceFromURI(uri);
    return new Promise((resolve, reject) => {
      const chunks = [];
      service.streamMessage(uri, {
        QueryInterface: ChromeUtils.generateQI(["nsIStreamListener", "nsIRequestObserver"]),
        onStartRequest() {},
        onDataAvailable(_request, stream, _offset, count) {
          chunks.push(NetUtil.readInputStreamToString(stream, count));
        },
        onStopRequest(_request, code) {
          code ? reject(new Error(`stream ended with 0x${code.toString(16)}`)) : resolve(chunks.join(""));
        },
      }, null, null, false, "");
    });
  },

  async mark(key, path, subjects, what) {
    const folder = folderAt(key, path);
    const headers = chosen(folder, subjects);
    if ("read" in what) {
      folder.markMessagesRead(headers, what.read);
    }
    if ("flagged" in what) {
      folder.markMessagesFlagged(headers, what.flagged);
    }
    if ("tag" in what) {
      folder.addKeywordsToMessages(headers, what.tag);
    }
    if ("untag" in what) {
      folder.removeKeywordsFromMessages(headers, what.untag);
    }
  },

  async copy(key, path, subjects, target, isMove) {
    const folder = folderAt(key, path);
    const done = copyListener();
    MailServices.copy.copyMessages(
      folder, chosen(folder, subjects), folderAt(key, target), isMove, done, null, false);
    await within(done.promise, done.kind);
  },

  async remove(key, path, subjects) {
    const folder = folderAt(key, path);
    const done = copyListener();
    folder.deleteMessages(chosen(folder, subjects), null, false, true, done, false);
    await within(done.promise, done.kind);
  },

  async emptyTrash(key) {
    const done = urlListener();
    server(key).rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Trash).emptyTrash(done);
    await within(done.promise, done.kind);
  },

  async compact(key, path) {
    const done = urlListener();
    folderAt(key, path).compact(done, null);
    await within(done.promise, done.kind);
  },

  /** Copies a file of this machine into a folder. */
  async upload(key, path, file, flags, keywords) {
    const source = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
    source.initWithPath(file);
    const done = copyListener();
    MailServices.copy.copyFileMessage(
      source, folderAt(key, path), null, false, flags, keywords, done, null);
    await within(done.promise, done.kind);
  },

  async create(key, parent, name) {
    folderAt(key, parent).createSubfolder(name, null);
    await until(() => at(key, parent ? `${parent}/${name}` : name), `folder ${name}`);
  },

  async rename(key, path, name) {
    const folder = folderAt(key, path);
    const parent = path.split("/").slice(0, -1);
    folder.rename(name, null);
    await until(() => at(key, [...parent, name].join("/")), `folder ${name}`);
  },

  async deleteFolder(key, path) {
    folderAt(key, path).deleteSelf(null);
    await until(() => !at(key, path), `${path} gone`);
  },

  /** Searches on the server; gives subjects. `terms` are [attribute, operator, text]. */
  async search(key, path, terms) {
    const folder = folderAt(key, path);
    const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
    session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder);
    for (const [attribute, operator, text] of terms) {
      const term = session.createTerm();
      const value = term.value;
      term.attrib = Ci.nsMsgSearchAttrib[attribute];
      value.attrib = term.attrib;
      value.str = text;
      term.value = value;
      term.op = Ci.nsMsgSearchOp[operator];
      term.booleanAnd = true;
      session.appendTerm(term);
    }
    const hits = [];
    const done = listener("nsIMsgSearchNotify", "onSearchDone");
    done.onSearchHit = header => hits.push(header.mime2DecodedSubject);
    session.registerListener(done);
    session.search(null);
    await within(done.promise, done.kind);
    return hits;
  },

  /** Waits until a message shows what somebody else did to it, such as {read: true}. */
  async sees(key, path, subject, what) {
    const folder = folderAt(key, path);
    await until(() => {
      const now = row(chosen(folder, [subject])[0]);
      return Object.entries(what).every(([name, value]) => now[name] === value);
    }, `${subject} with ${JSON.stringify(what)}`);
  },

  /** Mailboxes or groups that can be subscribed, as the window for subscriptions lists them. */
  async offered(key) {
    const source = server(key).QueryInterface(Ci.nsISubscribableServer);
    const below = path => source.getChildURIs(path).flatMap(each => [
      ...(source.isSubscribable(each) ? [each] : []),
      ...(source.hasChildren(each) ? below(each) : []),
    ]);
    const listed = new Promise(resolve => {
      source.subscribeListener = {
        OnDonePopulating: resolve,
        QueryInterface: ChromeUtils.generateQI(["nsISubscribeListener"]),
      };
    });
    source.startPopulating(msgWindow, true, false);
    await within(listed, "list of all mailboxes");
    const names = below(null);
    source.subscribeCleanup();
    return names;
  },

  async subscribe(key, name) {
    const source = server(key).QueryInterface(Ci.nsISubscribableServer);
    source.subscribe(name);
    source.commitSubscribeChanges();
    if (server(key).type == "imap") {
      server(key).performExpand(msgWindow);
    }
    await until(() => at(key, name), `${name} in the list`);
  },

  /** Takes what is new into the inbox of a POP3 account; gives its subjects. */
  async fetch(key) {
    const done = urlListener();
    const source = server(key);
    const inbox = source.rootMsgFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
    MailServices.pop3.GetNewMail(null, done, inbox, source);
    await within(done.promise, done.kind);
    return [...inbox.messages].map(each => each.mime2DecodedSubject);
  },

  /** Takes the overview of what is new in a group; gives the subjects. */
  async news(key, path) {
    const folder = folderAt(key, path);
    const done = urlListener();
    folder.getNewMessages(msgWindow, done);
    await within(done.promise, done.kind);
    return [...folder.messages].map(each => each.mime2DecodedSubject);
  },

  /** Keeps new messages of a POP3 account on the server, or not. */
  async keep(key, value) {
    server(key).QueryInterface(Ci.nsIPop3IncomingServer).leaveMessagesOnServer = value;
  },

  /** Writes a message in a window of its own and sends it by SMTP; a copy goes to `Sent` of the account. */
  async send(key, host, port, security, password, to, subject, body) {
    const account = MailServices.accounts.getAccount(key);
    const identity = account.defaultIdentity;
    const outgoing = MailServices.outgoingServer.createServer("smtp");
    const smtp = outgoing.QueryInterface(Ci.nsISmtpServer);
    smtp.hostname = host;
    smtp.port = port;
    outgoing.socketType = SECURITY[security];
    outgoing.authMethod = METHODS.password;
    outgoing.username = identity.email;
    outgoing.password = password;
    identity.smtpServerKey = outgoing.key;
    identity.doFcc = true;
    identity.fccFolderURI = account.incomingServer.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.SentMail).URI;
    const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
    fields.to = to;
    fields.subject = subject;
    fields.body = body;
    const given = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
    given.type = Ci.nsIMsgCompType.New;
    given.format = Ci.nsIMsgCompFormat.PlainText;
    given.identity = identity;
    given.composeFields = fields;
    MailServices.compose.OpenComposeWindowWithParams(null, given);
    const sheet = await until(() => Services.wm.getMostRecentWindow("msgcompose"), "a window to write in");
    await until(() => sheet.gMsgCompose && sheet.composeEditorReady, "a window ready to write in");
    sheet.goDoCommand("cmd_sendNow");
    await until(() => sheet.closed, "sent");
    MailServices.outgoingServer.deleteServer(outgoing);
  },

  /** Says that the accounts of a host log in with tokens, and gives Thunderbird one that gets more. */
  async authorize(issuer, host, user, tokenEndpoint) {
    const { OAuth2Providers } = ChromeUtils.importESModule("resource:///modules/OAuth2Providers.sys.mjs");
    OAuth2Providers.registerProvider({
      name: issuer,
      clientId: "thunderbird",
      clientSecret: "",
      authorizationEndpoint: `https://${issuer}/authorize`,
      tokenEndpoint,
      redirectionEndpoint: "https://localhost",
    }, [host], "mail");
    const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
    login.init(`oauth://${issuer}`, null, "mail", user, "refresh", "", "");
    await Services.logins.addLoginAsync(login);
  },

  /** Keeps whole messages here, as "Download Now" does; gives the sum of their sizes. */
  async download(key, path) {
    const folder = folderAt(key, path);
    folder.setFlag(Ci.nsMsgFolderFlags.Offline);
    const done = urlListener();
    await until(() => {
      try {
        folder.downloadAllForOffline(done, null);
        return true;
      } catch (problem) {
        if (problem.result != BUSY) {
          throw problem;
        }
        return false;
      }
    }, `${path} at leisure`);
    await within(done.promise, done.kind);
    return [...folder.messages].filter(each => each.flags & Ci.nsMsgMessageFlags.Offline).length;
  },

  /** Goes offline, or online again, which plays back what was done meanwhile. */
  async offline(key, wanted) {
    Services.io.offline = wanted;
    if (!wanted) {
      const manager = Cc["@mozilla.org/messenger/offline-manager;1"].getService(Ci.nsIMsgOfflineManager);
      manager.goOnline(false, true, msgWindow);
      await until(() => !manager.inProgress, "played back");
    }
  },

  /** What to do with what is deleted: 0 mark it, 1 move it to the trash, 2 remove it. */
  async deleting(key, model) {
    server(key).QueryInterface(Ci.nsIImapIncomingServer).deleteModel = model;
  },

  async close(key) {
    const account = MailServices.accounts.getAccount(key);
    account.incomingServer.closeCachedConnections();
    MailServices.accounts.removeAccount(account, false);
  },
};
