/*
 * Signals of long runs. sig_catch installs handlers for SIGINT, SIGTERM and SIGHUP (an inherited
 * SIG_IGN is honoured) that only set a flag; the loop asks sig_pending() between units of work,
 * saves what is complete, and returns ERR_SIGNAL, which prog_end turns into the signal itself.
 * A second signal ends the process at once, after removing the temporary files of out.h. SIGPIPE
 * is ignored from then on: a write gives EPIPE (ERR_PIPE), and the loop decides what that means.
 * SIGUSR1 asks for a status line: sig_status_wanted() is true once for each. sig_catch and
 * progress_start take care of its handler (sig_status_catch).
 * sig_cleanup: filters that hold temporary files but no loop to stop call this instead; on a
 * signal (SIGPIPE too) the files of out.h are removed and it takes its default action.
 * System calls are restarted after a handler; only poll() and the like return EINTR.
 */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <stdbool.h>

void sig_catch(void);
bool sig_caught(void); /* whether sig_catch has been called: long waits should ask sig_pending */
void sig_cleanup(void);
int sig_pending(void); /* 0, or the signal's number */
bool sig_status_wanted(void);
void sig_status_catch(void);
void sig_reraise(int sig); /* default action, as the shell expects to see it */

/* Paths to unlink when a signal ends the process; used by out.c. Returns a slot, -1 if full. */
int sig_guard(const char *path);
void sig_unguard(int slot);

#endif
