/* The rooms of a tree of fixtures, in the order in which they are compared. */
#include "rooms.h"

const struct parity_room parity_rooms[] = {
    { "assign", ".safetensors", parity_assign },
    {0} };
