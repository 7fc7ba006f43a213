/* The table of turns. Whatever is in it, only moments that can be are believed. */
#include "turns.h"

static bool has_turn(const struct turns_place *place, uint64_t now)
{
    return place->until > now && place->until - now <= TURNS_MS;
}

static bool waits(const struct turns_place *place, uint64_t now)
{
    return place->until == 0 && place->seen <= now && now - place->seen < TURNS_WAITER_MS && place->seen > 0;
}

bool turns_has_place(const struct turn *turn, const struct turns_place places[TURNS_PLACES])
{
    return turn->place >= 0 && places[turn->place].uid == turn->uid && places[turn->place].came == turn->came;
}

/* What the others have of the table. */
struct others {
    unsigned turns;
    unsigned before; /* who wait and came first */
    bool same_user;
    int empty; /* a place of nobody; -1: none */
};

static struct others look_at_others(const struct turn *turn, const struct turns_place places[TURNS_PLACES],
                                    uint64_t now)
{
    struct others others = {.empty = -1};

    for (int i = 0; i < (int)TURNS_PLACES; i++) {
        const bool waiting = waits(&places[i], now);
        const bool running = has_turn(&places[i], now);

        if (i == turn->place)
            continue;
        if (!waiting && !running) {
            others.empty = others.empty < 0 ? i : others.empty;
            continue;
        }
        others.turns += running;
        others.before +=
            waiting && (places[i].came < turn->came || (places[i].came == turn->came && i < turn->place));
        others.same_user = others.same_user || places[i].uid == turn->uid;
    }
    return others;
}

bool turns_try(struct turn *turn, struct turns_place places[TURNS_PLACES], unsigned count, uint64_t now)
{
    struct others others;
    bool begins;

    if (!turns_has_place(turn, places))
        turn->place = -1;
    others = look_at_others(turn, places, now);
    if (turn->place < 0)
        turn->place = others.empty;
    if (others.same_user || turn->place < 0) {
        turn->place = -1;
        return false;
    }
    begins = others.turns + others.before < count;
    places[turn->place] = (struct turns_place){
        .came = turn->came, .seen = now, .until = begins ? now + TURNS_MS : 0, .uid = turn->uid};
    return begins;
}
