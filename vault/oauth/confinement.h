/* What the helper gives up before it reads its job. It needs the network and reads settings of TLS and of the
 * resolver; it writes nothing, runs nothing, and is looked into by nobody. */
#ifndef STEPVAULT_OAUTH_CONFINEMENT_H
#define STEPVAULT_OAUTH_CONFINEMENT_H

/* No core file, no tracer, memory that is not swapped where there is leave for it. First of all. */
void confinement_protect_memory(void);

/* No new privileges, only those files, only those system calls. After the libraries have started. What a
 * kernel does not know is done without, as in the agent. */
void confinement_enter(void);

#endif
