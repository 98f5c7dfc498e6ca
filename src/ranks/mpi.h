/* ranks/mpi.h -- processes started by mpirun or another launcher of MPI. */
#ifndef RANKS_MPI_H
#define RANKS_MPI_H
#include "base/error.h"
#include "ranks/ranks.h"

/* True if a launcher started this process; true if it started others, too, as far as the environment tells. */
bool mpi_launched(void);
bool mpi_launched_with_others(void);

/* Joins the other processes: *ranks becomes NULL for a process alone.  The library is loaded here and not before.  Exit
 * 2 if this program was built without MPI. */
bool mpi_join(const struct ranks **, struct error *);
void mpi_leave(void);                   /* all processes together, at their end */

/* Ends all processes at once; the launcher returns this exit status. */
void mpi_abort(int status);
#endif
