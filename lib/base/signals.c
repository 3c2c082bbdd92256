/* Signals of long runs, and removal of temporary files when one ends the process. */
#include "base/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"

enum { N_SLOTS = 64, PATH_CAP = 4096 };

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_USED };

static struct {
    atomic_int state;
    char path[PATH_CAP];
} slots[N_SLOTS];

static volatile sig_atomic_t pending;
static atomic_bool caught;
static atomic_int n_status; /* asked for in a handler, perhaps of another thread */
static int n_status_seen;

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

int sig_guard(const char *path)
{
    size_t n = strlen(path);
    if (n >= PATH_CAP)
        return -1;
    for (int i = 0; i < N_SLOTS; i++) {
        int free_state = SLOT_FREE;
        if (!atomic_compare_exchange_strong(&slots[i].state, &free_state, SLOT_FILLING))
            continue;
        memcpy(slots[i].path, path, n + 1);
        atomic_store(&slots[i].state, SLOT_USED);
        return i;
    }
    return -1;
}

void sig_unguard(int slot)
{
    if (slot >= 0 && slot < N_SLOTS)
        atomic_store(&slots[slot].state, SLOT_FREE);
}

/* Only what is safe in a handler. */
static void remove_guarded(void)
{
    for (int i = 0; i < N_SLOTS; i++)
        if (atomic_load(&slots[i].state) == SLOT_USED)
            unlink(slots[i].path);
}

void sig_reraise(int sig)
{
    sigset_t only;
    remove_guarded();
    signal(sig, SIG_DFL);
    sigemptyset(&only);
    sigaddset(&only, sig);
    raise(sig);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL); /* in a handler or a masked thread it waits */
}

static void on_end(int sig)
{
    if (pending)
        sig_reraise(sig);
    pending = sig;
}

static void on_status(int sig)
{
    (void)sig;
    n_status = (n_status + 1) & 0xffff;
}

/* A signal that the parent had ignored (nohup) stays ignored. */
static void install(int sig, void (*handler)(int))
{
    struct sigaction now, act = {.sa_handler = handler, .sa_flags = SA_RESTART};
    if (sigaction(sig, NULL, &now) < 0 ||
        (!(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_IGN))
        return;
    sigemptyset(&act.sa_mask);
    sigaction(sig, &act, NULL);
}

void sig_catch(void)
{
    for (size_t i = 0; i < ARRAY_LEN(ending); i++)
        install(ending[i], on_end);
    install(SIGPIPE, SIG_IGN);
    sig_status_catch();
    atomic_store(&caught, true);
}

bool sig_caught(void)
{
    return atomic_load(&caught);
}

void sig_cleanup(void)
{
    for (size_t i = 0; i < ARRAY_LEN(ending); i++)
        install(ending[i], sig_reraise);
    install(SIGPIPE, sig_reraise);
}

void sig_status_catch(void)
{
    install(SIGUSR1, on_status);
}

int sig_pending(void)
{
    return pending;
}

bool sig_status_wanted(void)
{
    if (n_status_seen == n_status)
        return false;
    n_status_seen = (n_status_seen + 1) & 0xffff;
    return true;
}
