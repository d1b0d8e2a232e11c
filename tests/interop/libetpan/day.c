/*
 * libetpan, the engine of claws-mail, on a leash: each line of standard input is a verb and its words, separated by
 * tabs; the answer is any number of lines and then "ok", or "failed CODE: what the server said".
 * tests/interop/test_imap_libetpan.py compiles it and holds the other end.
 */
#include <libetpan/libetpan.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 12, WAIT_MS = 20000 };

static mailimap *imap;

static struct mailimap_set *set(const char *word)
{
    char *end;
    unsigned long low = strtoul(word, &end, 10), high = low;

    if (*end == ':')
        high = end[1] == '*' ? 0 : strtoul(end + 1, NULL, 10); /* libetpan writes 0 as "*" */
    return mailimap_set_new_interval(low, high);
}

static struct mailimap_flag_list *flags(const char *words)
{
    struct mailimap_flag_list *list = mailimap_flag_list_new_empty();
    char *copy = strdup(words), *place = NULL, *word;

    for (word = strtok_r(copy, " ", &place); word; word = strtok_r(NULL, " ", &place)) {
        struct mailimap_flag *flag;
        if (!strcmp(word, "\\Seen"))
            flag = mailimap_flag_new_seen();
        else if (!strcmp(word, "\\Flagged"))
            flag = mailimap_flag_new_flagged();
        else if (!strcmp(word, "\\Answered"))
            flag = mailimap_flag_new_answered();
        else if (!strcmp(word, "\\Deleted"))
            flag = mailimap_flag_new_deleted();
        else if (!strcmp(word, "\\Draft"))
            flag = mailimap_flag_new_draft();
        else
            flag = mailimap_flag_new_flag_keyword(strdup(word));
        mailimap_flag_list_add(list, flag);
    }
    free(copy);
    return list;
}

static void show_item(struct mailimap_msg_att_item *item)
{
    clistiter *each;

    if (item->att_type == MAILIMAP_MSG_ATT_ITEM_STATIC) {
        struct mailimap_msg_att_static *one = item->att_data.att_static;
        if (one->att_type == MAILIMAP_MSG_ATT_UID)
            printf(" uid=%u", one->att_data.att_uid);
        else if (one->att_type == MAILIMAP_MSG_ATT_RFC822_SIZE)
            printf(" size=%u", one->att_data.att_rfc822_size);
        else if (one->att_type == MAILIMAP_MSG_ATT_ENVELOPE)
            printf(" subject=%s", one->att_data.att_env->env_subject);
        else if (one->att_type == MAILIMAP_MSG_ATT_BODYSTRUCTURE)
            printf(" parts=%d", one->att_data.att_bodystructure->bd_type);
        else if (one->att_type == MAILIMAP_MSG_ATT_BODY_SECTION)
            printf(" octets=%zu", one->att_data.att_body_section->sec_length);
    } else if (item->att_type == MAILIMAP_MSG_ATT_ITEM_DYNAMIC && item->att_data.att_dyn->att_list) {
        for (each = clist_begin(item->att_data.att_dyn->att_list); each; each = clist_next(each)) {
            struct mailimap_flag_fetch *flag = clist_content(each);
            if (flag->fl_type != MAILIMAP_FLAG_FETCH_OTHER)
                continue;
            if (flag->fl_flag->fl_type == MAILIMAP_FLAG_KEYWORD)
                printf(" +%s", flag->fl_flag->fl_data.fl_keyword);
            else
                printf(" +%d", flag->fl_flag->fl_type);
        }
    }
}

static void show_fetched(clist *result)
{
    clistiter *each, *part;

    for (each = clist_begin(result); each; each = clist_next(each)) {
        struct mailimap_msg_att *message = clist_content(each);
        printf("message");
        for (part = clist_begin(message->att_list); part; part = clist_next(part))
            show_item(clist_content(part));
        printf("\n");
    }
    mailimap_fetch_list_free(result);
}

static struct mailimap_fetch_type *wanted(const char *what)
{
    struct mailimap_fetch_type *type = mailimap_fetch_type_new_fetch_att_list_empty();

    mailimap_fetch_type_new_fetch_att_list_add(type, mailimap_fetch_att_new_uid());
    mailimap_fetch_type_new_fetch_att_list_add(type, mailimap_fetch_att_new_flags());
    if (!strcmp(what, "overview")) {
        mailimap_fetch_type_new_fetch_att_list_add(type, mailimap_fetch_att_new_envelope());
        mailimap_fetch_type_new_fetch_att_list_add(type, mailimap_fetch_att_new_rfc822_size());
        mailimap_fetch_type_new_fetch_att_list_add(type, mailimap_fetch_att_new_bodystructure());
    }
    if (!strcmp(what, "body"))
        mailimap_fetch_type_new_fetch_att_list_add(
            type, mailimap_fetch_att_new_body_peek_section(mailimap_section_new(NULL)));
    return type;
}

static int fetch(char **word)
{
    clist *result = NULL;
    int code = mailimap_uid_fetch(imap, set(word[1]), wanted(word[2]), &result);

    if (code == MAILIMAP_NO_ERROR)
        show_fetched(result);
    return code;
}

static void show_vanished(struct mailimap_qresync_vanished *gone)
{
    clistiter *each;

    if (!gone || !gone->qr_known_uids)
        return;
    for (each = clist_begin(gone->qr_known_uids->set_list); each; each = clist_next(each)) {
        struct mailimap_set_item *item = clist_content(each);
        printf("vanished %u:%u\n", item->set_first, item->set_last);
    }
}

static int changed(char **word)
{
    clist *result = NULL;
    struct mailimap_qresync_vanished *gone = NULL;
    int code = mailimap_uid_fetch_qresync(imap, set("1:*"), wanted(word[2]), strtoull(word[1], NULL, 10), &result, &gone);

    if (code == MAILIMAP_NO_ERROR) {
        show_fetched(result);
        show_vanished(gone);
    }
    return code;
}

static int list(char **word)
{
    clist *result = NULL;
    clistiter *each;
    int code = !strcmp(word[0], "lsub") ? mailimap_lsub(imap, "", word[1], &result)
                                        : mailimap_list(imap, "", word[1], &result);

    if (code != MAILIMAP_NO_ERROR)
        return code;
    for (each = clist_begin(result); each; each = clist_next(each))
        printf("mailbox %s\n", ((struct mailimap_mailbox_list *)clist_content(each))->mb_name);
    mailimap_list_result_free(result);
    return code;
}

static int search(char **word)
{
    clist *result = NULL;
    clistiter *each;
    struct mailimap_search_key *key = !strcmp(word[1], "subject") ? mailimap_search_key_new_subject(strdup(word[2]))
                                                                  : mailimap_search_key_new_body(strdup(word[2]));
    int code = mailimap_uid_search(imap, "UTF-8", key, &result);

    if (code != MAILIMAP_NO_ERROR)
        return code;
    for (each = clist_begin(result); each; each = clist_next(each))
        printf("uid %u\n", *(uint32_t *)clist_content(each));
    mailimap_search_result_free(result);
    return code;
}

static int store(char **word)
{
    struct mailimap_store_att_flags *change = word[2][0] == '+' ? mailimap_store_att_flags_new_add_flags(flags(word[3]))
                                              : word[2][0] == '-'
                                                  ? mailimap_store_att_flags_new_remove_flags(flags(word[3]))
                                                  : mailimap_store_att_flags_new_set_flags_silent(flags(word[3]));

    return mailimap_uid_store(imap, set(word[1]), change);
}

static int transfer(char **word)
{
    struct mailimap_set *from = NULL, *to = NULL;
    uint32_t validity = 0;
    int code = !strcmp(word[0], "move") ? mailimap_uidplus_uid_move(imap, set(word[1]), word[2], &validity, &from, &to)
                                        : mailimap_uidplus_uid_copy(imap, set(word[1]), word[2], &validity, &from, &to);

    if (code == MAILIMAP_NO_ERROR)
        printf("uidvalidity %s\n", validity && from && to ? "told" : "missing");
    return code;
}

static int append(char **word)
{
    uint32_t validity = 0, uid = 0;
    FILE *file = fopen(word[2], "rb");
    static char text[1 << 20];
    size_t size = file ? fread(text, 1, sizeof text, file) : 0;
    int code;

    if (file)
        fclose(file);
    code = mailimap_uidplus_append(imap, word[1], flags(word[3]), NULL, text, size, &validity, &uid);
    if (code == MAILIMAP_NO_ERROR)
        printf("uid %u\n", uid);
    return code;
}

static int wait_for_news(void)
{
    struct pollfd ready;
    int code = mailimap_idle(imap);

    if (code != MAILIMAP_NO_ERROR)
        return code;
    ready.fd = mailimap_idle_get_fd(imap);
    ready.events = POLLIN;
    if (poll(&ready, 1, WAIT_MS) != 1)
        return -1;
    code = mailimap_idle_done(imap);
    if (imap->imap_selection_info)
        printf("exists %u\n", imap->imap_selection_info->sel_exists);
    return code;
}

static int connect_to(char **word)
{
    int code, port = atoi(word[2]);

    imap = mailimap_new(0, NULL);
    mailimap_set_timeout(imap, WAIT_MS / 1000);
    if (!strcmp(word[1], "tls"))
        return mailimap_ssl_connect(imap, "localhost", port);
    code = mailimap_socket_connect(imap, "localhost", port);
    if (code < MAILIMAP_ERROR_BAD_STATE && !strcmp(word[1], "starttls"))
        code = mailimap_socket_starttls(imap);
    return code;
}

static int log_in(char **word)
{
    const char *way = word[1], *user = word[2], *secret = word[3];

    if (!strcmp(way, "command"))
        return mailimap_login(imap, user, secret);
    if (!strcmp(way, "XOAUTH2"))
        return mailimap_oauth2_authenticate(imap, user, secret);
    return mailimap_authenticate(imap, way, "localhost", NULL, NULL, user, user, secret, NULL);
}

static int select_mailbox(char **word)
{
    uint64_t modseq = 0;
    int code = mailimap_select_condstore(imap, word[1], &modseq);

    if (code == MAILIMAP_NO_ERROR)
        printf("exists %u modseq %llu\n", imap->imap_selection_info->sel_exists, (unsigned long long)modseq);
    return code;
}

/* POP3 and news by the drivers that all protocols of the engine share: engine KIND SECURITY PORT USER SECRET PATH [remove] */
static int engine(char **word, int count)
{
    struct mailstorage *storage = mailstorage_new(NULL);
    int type = !strcmp(word[2], "tls") ? CONNECTION_TYPE_TLS
               : !strcmp(word[2], "starttls") ? CONNECTION_TYPE_STARTTLS : CONNECTION_TYPE_PLAIN;
    struct mailmessage_list *messages = NULL;
    struct mailfolder *folder;
    unsigned int number;
    int code;

    if (!strcmp(word[1], "pop3"))
        code = pop3_mailstorage_init(storage, "localhost", atoi(word[3]), NULL, type, POP3_AUTH_TYPE_PLAIN, word[4],
                                     word[5], 0, NULL, NULL);
    else
        code = nntp_mailstorage_init(storage, "localhost", atoi(word[3]), NULL, type, NNTP_AUTH_TYPE_PLAIN,
                                     *word[4] ? word[4] : NULL, *word[5] ? word[5] : NULL, 0, NULL, NULL);
    if (code != MAIL_NO_ERROR)
        return code;
    folder = mailfolder_new(storage, *word[6] ? word[6] : NULL, NULL);
    code = mailfolder_connect(folder);
    if (code == MAIL_NO_ERROR)
        code = mailfolder_get_messages_list(folder, &messages);
    if (code == MAIL_NO_ERROR)
        code = mailfolder_get_envelopes_list(folder, messages);
    for (number = 0; code == MAIL_NO_ERROR && number < carray_count(messages->msg_tab); number++) {
        mailmessage *message = carray_get(messages->msg_tab, number);
        char *text = NULL;
        size_t size = 0;
        code = mailmessage_fetch(message, &text, &size);
        if (code == MAIL_NO_ERROR) {
            printf("message octets=%zu\n", size);
            mailmessage_fetch_result_free(message, text);
        }
        if (code == MAIL_NO_ERROR && count > 7)
            code = mailsession_remove_message(folder->fld_session, message->msg_index);
    }
    if (messages)
        mailmessage_list_free(messages);
    mailfolder_disconnect(folder);
    mailfolder_free(folder);
    mailstorage_disconnect(storage);
    mailstorage_free(storage);
    return code;
}

static int enable(char **word)
{
    struct mailimap_capability_data *result = NULL;
    clist *names = clist_new();

    clist_append(names, mailimap_capability_new(MAILIMAP_CAPABILITY_NAME, NULL, strdup(word[1])));
    return mailimap_enable(imap, mailimap_capability_data_new(names), &result);
}

static int simple(char **word)
{
    char *name = NULL, *version = NULL;
    int code;

    if (!strcmp(word[0], "id")) {
        code = mailimap_id_basic(imap, "libetpan", "1", &name, &version);
        if (code == MAILIMAP_NO_ERROR)
            printf("server %s\n", name);
        return code;
    }
    if (!strcmp(word[0], "create"))
        return mailimap_create(imap, word[1]);
    if (!strcmp(word[0], "rename"))
        return mailimap_rename(imap, word[1], word[2]);
    if (!strcmp(word[0], "delete"))
        return mailimap_delete(imap, word[1]);
    if (!strcmp(word[0], "subscribe"))
        return mailimap_subscribe(imap, word[1]);
    if (!strcmp(word[0], "expunge"))
        return mailimap_uid_expunge(imap, set(word[1]));
    if (!strcmp(word[0], "noop"))
        return mailimap_noop(imap);
    if (!strcmp(word[0], "close"))
        return mailimap_close(imap);
    if (!strcmp(word[0], "logout"))
        return mailimap_logout(imap);
    return -2;
}

static int obey(char **word, int count)
{
    if (!strcmp(word[0], "connect"))
        return connect_to(word);
    if (!strcmp(word[0], "login"))
        return log_in(word);
    if (!strcmp(word[0], "enable"))
        return enable(word);
    if (!strcmp(word[0], "list") || !strcmp(word[0], "lsub"))
        return list(word);
    if (!strcmp(word[0], "select"))
        return select_mailbox(word);
    if (!strcmp(word[0], "fetch"))
        return fetch(word);
    if (!strcmp(word[0], "changed"))
        return changed(word);
    if (!strcmp(word[0], "search"))
        return search(word);
    if (!strcmp(word[0], "store"))
        return store(word);
    if (!strcmp(word[0], "copy") || !strcmp(word[0], "move"))
        return transfer(word);
    if (!strcmp(word[0], "append"))
        return append(word);
    if (!strcmp(word[0], "idle"))
        return wait_for_news();
    if (!strcmp(word[0], "engine"))
        return engine(word, count);
    return simple(word);
}

int main(void)
{
    static char line[8192];

    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        char *word[MAX_WORDS] = {0}, *rest = line, *each;
        int count = 0, code;
        line[strcspn(line, "\n")] = 0;
        while (count < MAX_WORDS && (each = strsep(&rest, "\t")))
            word[count++] = each;
        code = obey(word, count);
        if (code == MAILIMAP_NO_ERROR || code == MAILIMAP_NO_ERROR_AUTHENTICATED
            || code == MAILIMAP_NO_ERROR_NON_AUTHENTICATED)
            printf("ok\n");
        else
            printf("failed %d: %s\n", code, imap && imap->imap_response ? imap->imap_response : "");
    }
    return 0;
}
