"""Shopping, journeys, ages and calendars in words."""

from random import Random

from .registry import Draft, family
from .steps import (
    decimal,
    lowest,
    product_chain,
    quotient_chain,
    reduction_chain,
    remainder_line,
    running_sum,
    sum_chain,
)

NAMES = ("Ana", "Ben", "Eva", "Tom", "Mia", "Leo", "Zoe", "Sam", "Ida", "Max", "Lea", "Jon")
THINGS = ("pens", "books", "cups", "hats", "cakes", "apples", "toys", "maps", "lamps", "plates")


@family("Word Problems")
def shopping(rng: Random, level: int) -> Draft:
    """Totals, change, discounts and an unknown price."""
    name = rng.choice(NAMES)
    one, other = rng.sample(THINGS, 2)
    n, cost = rng.randint(2, 9), rng.randint(2, 29) if level < 4 else rng.randint(12, 60)
    if level == 1:
        cost += rng.randint(0, 20)
        problem = rng.choice(
            (
                f"{name} buys {n} {one} at {cost} dollars each. How many dollars is that?",
                f"{name} sells {n} {one} for {cost} dollars each. How many dollars does {name} get?",
                f"A shop packs {n} boxes with {cost} {one} each. How many {one} is that?",
            )
        )
        return Draft((1, n, cost), problem, [product_chain(n, cost)], str(n * cost))
    m, price = rng.randint(2, 9), rng.randint(3, 29) if level < 4 else rng.randint(11, 60)
    buys = rng.choice(
        (
            f"{name} buys {n} {one} at {cost} dollars each and {m} {other} at {price} dollars each.",
            f"{name} takes {n} {one} for {cost} dollars each and {m} {other} for {price} dollars each.",
        )
    )
    first, second = n * cost, m * price
    lines = [f"{one}: {product_chain(n, cost)}", f"{other}: {product_chain(m, price)}"]
    if rng.random() < 0.5:
        lines.reverse()
    if level <= 4:
        lines.append(sum_chain(first, second))
    total, pairs = first + second, sorted(((n, cost), (m, price)))
    if level == 2:
        question = rng.choice(("What is the total in dollars?", "How many dollars is that in all?"))
        return Draft((2, *pairs), f"{buys} {question}", lines, str(total))
    if level == 3:
        paid = (total // 50 + rng.randint(1, 2)) * 50
        lines.append(sum_chain(paid, -total))
        question = rng.choice(
            (f"What is the change from {paid} dollars?", f"How much is left of {paid} dollars?")
        )
        return Draft((3, *pairs, paid), f"{buys} {question}", lines, str(paid - total))
    rate = 5 * rng.randint(1, 8)
    if level == 4:
        return _discount(rng, buys, rate, total, lines, pairs)
    return _unknown_price(rng, name, (n, cost, one), (m, price, other))


def _discount(
    rng: Random, buys: str, rate: int, total: int, lines: list[str], pairs: list
) -> Draft:
    value = total * (100 - rate)
    answer = decimal(value, 2)
    if rng.random() < 0.5:
        lines += [
            f"100 - {rate} = {100 - rate}",
            product_chain(total, 100 - rate),
            f"{value} / 100 = {answer}",
        ]
    else:
        lines += [
            product_chain(total, rate),
            sum_chain(100 * total, -total * rate),
            f"{value} / 100 = {answer}",
        ]
    question = rng.choice(
        (f"With {rate}% off, what is the total?", f"All is {rate}% off. What is the total?")
    )
    return Draft((4, *pairs, rate), f"{buys} {question}", lines, answer)


def _unknown_price(
    rng: Random, name: str, first: tuple[int, int, str], second: tuple[int, int, str]
) -> Draft:
    (n, cost, one), (m, price, other) = first, second
    total = n * cost + m * price
    paid = (total // 50 + 1) * 50
    left = paid - total
    problem = rng.choice(
        (
            f"{name} has {paid} dollars, buys {n} {one} at {cost} each and {m} {other}, and "
            f"keeps {left}. Find the price of one of the {other}.",
            f"Of {paid} dollars, after {n} {one} at {cost} each and {m} {other}, {name} has "
            f"{left}. What is the price of one of the {other}?",
        )
    )
    product = product_chain(n, cost)
    if rng.random() < 0.5:
        lines = [f"Spent: {sum_chain(paid, -left)}", product, sum_chain(total, -n * cost)]
    else:
        lines = [product, sum_chain(paid, -n * cost), sum_chain(paid - n * cost, -left)]
    return Draft(
        (5, n, cost, m, paid, left), problem, [*lines, quotient_chain(m * price, m)], str(price)
    )


@family("Word Problems")
def travel(rng: Random, level: int) -> Draft:
    """Make a word problem about distance, speed and time."""
    who = rng.choice(("A car", "A bus", "A train", "A truck", "A van"))
    if level == 1:
        speed, hours = rng.randint(21, 95), rng.randint(2, 9)
        problem = rng.choice(
            (
                f"{who} goes {speed} km an hour for {hours} hours. How many km is that?",
                f"{who} drives at {speed} km an hour. How far does it get, in km, after {hours} hours?",
            )
        )
        return Draft((1, speed, hours), problem, [product_chain(speed, hours)], str(speed * hours))
    if level <= 3:
        return _two_legs(rng, who, level)
    return _meet(rng) if level == 4 else _catch_up(rng)


def _two_legs(rng: Random, who: str, level: int) -> Draft:
    speeds, hours = [rng.randint(21, 95) for _ in range(2)], [rng.randint(2, 6) for _ in range(2)]
    legs = f"{who} goes {speeds[0]} km an hour for {hours[0]} hours, then {speeds[1]} for {hours[1]} hours."
    ways = [speed * hour for speed, hour in zip(speeds, hours, strict=True)]
    lines = [
        f"{leg}: {product_chain(speed, hour)}"
        for leg, speed, hour in zip(("First", "Second"), speeds, hours, strict=True)
    ]
    if rng.random() < 0.5:
        lines.reverse()
    lines.append(sum_chain(*ways))
    key = (level, *sorted(zip(speeds, hours, strict=True)))
    if level == 2:
        question = rng.choice(("How many km in all?", "What is the whole distance in km?"))
        return Draft(key, f"{legs} {question}", lines, str(sum(ways)))
    total = sum(hours)
    lines.append(f"Hours: {hours[0]} + {hours[1]} = {total}")
    if sum(ways) % total == 0:
        lines.append(quotient_chain(sum(ways), total))
    else:
        lines.append(reduction_chain(sum(ways), total))
    question = "Find the mean speed (lowest terms)."
    return Draft(key, f"{legs} {question}", lines, lowest(sum(ways), total))


def _meet(rng: Random) -> Draft:
    one, other, hours = rng.randint(21, 79), rng.randint(21, 79), rng.randint(2, 9)
    apart = (one + other) * hours
    problem = rng.choice(
        (
            f"Two cars {apart} km apart drive at {one} and {other} km an hour until they meet. "
            f"How far does the first go?",
            f"Two trains start {apart} km apart and meet, at {one} and {other} km an hour. "
            f"How many km does the first go?",
        )
    )
    closing = one + other
    lines = [f"Together: {sum_chain(one, other)}"]
    lines.append(f"{apart} / {closing} = {hours} hours, as {product_chain(closing, hours)}")
    if rng.random() < 0.5:
        lines.append(product_chain(one, hours))
    else:
        lines += [f"Second: {product_chain(other, hours)}", sum_chain(apart, -other * hours)]
    return Draft(("meet", apart, one, other), problem, lines, str(one * hours))


def _catch_up(rng: Random) -> Draft:
    faster, hours, start = rng.randint(3, 15), rng.randint(2, 8), rng.randint(1, 6)
    slow = faster * hours  # so that the lead, slow * start, is closed in a whole number of hours
    quick, time = slow + faster, hours * start
    problem = rng.choice(
        (
            f"A bus leaves at {slow} km an hour, {start} hours later a car at {quick} km an "
            f"hour. After how many km do they meet?",
            f"A van at {slow} km an hour has a lead of {start} hours on a car at {quick}. "
            f"After how many km is it caught?",
        )
    )
    lines = [
        f"Lead: {product_chain(slow, start)}",
        f"Gain: {sum_chain(quick, -slow)}",
        f"Time: {quotient_chain(slow * start, faster)}",
    ]
    if rng.random() < 0.5:
        lines.append(product_chain(quick, time))
    else:
        lines.append(f"{start} + {time} = {start + time}, {product_chain(slow, start + time)}")
    return Draft(("catch up", slow, start, quick), problem, lines, str(quick * time))


@family("Word Problems")
def ages(rng: Random, level: int) -> Draft:
    """Ages now and in some years."""
    one, other = rng.sample(NAMES, 2)
    if level == 1:
        young, more, years = rng.randint(4, 40), rng.randint(2, 20), rng.randint(2, 15)
        problem = rng.choice(
            (
                f"{other} is {young}. {one} is {more} years older. How old will {one} be in {years} years?",
                f"{other} is {young} years old and {one} is {more} years older. "
                f"How old is {one} after {years} more years?",
            )
        )
        steps = (more, years) if rng.random() < 0.5 else (years, more)
        return Draft(
            (1, young, more, years),
            problem,
            running_sum([young, *steps]),
            str(young + more + years),
        )
    if level == 2:
        young, more = rng.randint(4, 40), rng.randint(2, 30)
        total = 2 * young + more
        problem = rng.choice(
            (
                f"{one} and {other} are {total} years old together. {one} is {more} years older. How old is {other}?",
                f"The ages of {one} and {other} add to {total}. {one} is {more} years older. Find the age of {other}.",
            )
        )
        if rng.random() < 0.5:
            lines = [sum_chain(total, -more), f"{total - more} / 2 = {young}"]
        else:
            older = young + more
            lines = [
                sum_chain(total, more),
                f"{total + more} / 2 = {older}",
                f"{older} - {more} = {young}",
            ]
        return Draft((2, total, more), problem, lines, str(young))
    return _future_ages(rng, level, one, other)


def _future_ages(rng: Random, level: int, one: str, other: str) -> Draft:
    """Multiples now (3), a multiple in some years with the difference (4) or the sum (5) given."""
    times, young = rng.randint(2, 6), rng.randint(3, 15 if level < 5 else 12)
    times = min(times, 4) if level == 5 else times
    if level == 3:
        years = rng.randint(2, 20)
        total = young * (times + 1)
        problem = rng.choice(
            (
                f"{one} is {times} times as old as {other}. Both ages add to {total}. "
                f"How old is {one} in {years} years?",
                f"{one} is {times} times as old as {other}, together {total}. Find the age of {one} in {years} years.",
            )
        )
        lines = [f"{times} + 1 = {times + 1} parts", quotient_chain(total, times + 1)]
        lines += [
            product_chain(young, times)
            if rng.random() < 0.5
            else f"{total} - {young} = {total - young}"
        ]
        lines.append(sum_chain(young * times, years))
        return Draft((3, times, total, years), problem, lines, str(young * times + years))
    years = rng.randint(1, young - 1) if level == 4 else rng.randint(2, 12)
    if level == 4:  # the younger will be `young`, the older times * young
        gap = young * (times - 1)
        problem = rng.choice(
            (
                f"{one} is {gap} years older than {other}, in {years} years {times} times as "
                f"old. How old is {other} now?",
                f"{other} is {gap} years younger than {one}. "
                f"In {years} years {one} is {times} times as old. How old is {other} now?",
            )
        )
        lines = [f"{times} - 1 = {times - 1}", f"Then {other} is {quotient_chain(gap, times - 1)}"]
        if times > 2 and rng.random() < 0.5:
            lines = [
                f"{gap} is {times} - 1 = {times - 1} parts",
                f"Part: {quotient_chain(gap, times - 1)}",
            ]
        lines.append(f"Now: {young} - {years} = {young - years}")
        return Draft((4, gap, years, times), problem, lines, str(young - years))
    later = young + years  # age of the younger in `years` years
    total = later * (times + 1) - 2 * years
    problem = rng.choice(
        (
            f"{one} and {other} are {total} together. "
            f"In {years} years {one} is {times} times as old as {other}. How old is {one} now?",
            f"Ages of {one} and {other} add to {total}. "
            f"In {years} years {one} is {times} times as old. How old is {one} now?",
        )
    )
    lines = [
        f"2 * {years} = {2 * years}",
        f"Sum then: {sum_chain(total, 2 * years)}",
        f"{times} + 1 = {times + 1} parts",
    ]
    lines += [f"Part: {quotient_chain(total + 2 * years, times + 1)}"]
    if rng.random() < 0.5:
        lines += [
            product_chain(later, times),
            f"Now: {later * times} - {years} = {later * times - years}",
        ]
    else:
        lines += [f"{other} now: {later} - {years} = {young}", sum_chain(total, -young)]
    return Draft((5, total, years, times), problem, lines, str(later * times - years))


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    ("March", 31), ("April", 30), ("May", 31), ("June", 30), ("July", 31),
    ("August", 31), ("September", 30), ("October", 31), ("November", 30), ("December", 31),
)  # fmt: skip


def _walk(day: int, steps: int, direction: int) -> str:
    """The days passed one by one, which ends with the answer."""
    if steps == 0:
        return f"The day is the same: {DAYS[day]}"
    passed = [DAYS[(day + direction * i) % 7] for i in range(1, steps + 1)]
    return f"From {DAYS[day]}: {', '.join(passed)}"


@family("Word Problems")
def weekday(rng: Random, level: int) -> Draft:
    """The day of the week some days, or some months, from a given one."""
    day = rng.randrange(7)
    if level >= 4:
        return _date(rng, level, day)
    count = rng.randint(8, 60) if level < 3 else rng.randint(80, 400)
    if level == 1:
        count = rng.randint(5, 34)
    direction = -1 if level == 2 or (level == 3 and rng.random() < 0.5) else 1
    left = count % 7
    when = f"in {count} days" if direction > 0 else f"{count} days ago"
    verb = "will it be" if direction > 0 else "was it"
    problem = rng.choice(
        (
            f"Today is {DAYS[day]}. What day of the week {verb} {when}?",
            f"It is {DAYS[day]}. Which weekday {verb} {when}?",
            f"If today is {DAYS[day]}, which day of the week {verb} {when}?",
        )
    )
    lines = [remainder_line(count, 7)]
    if left > 3 and rng.random() < 0.5:  # go the shorter way round
        lines += [f"7 - {left} = {7 - left} the other way", _walk(day, 7 - left, -direction)]
    else:
        lines.append(_walk(day, left, direction))
    return Draft((day, direction * count), problem, lines, DAYS[(day + direction * left) % 7])


def _date(rng: Random, level: int, day: int) -> Draft:
    start = rng.randrange(8 if level == 4 else 5)
    end = start + (1 if level == 4 else rng.randint(2, 4))
    first, last = rng.randint(1, 28), rng.randint(1, 28)
    name, target = MONTHS[start][0], MONTHS[end][0]
    problem = rng.choice(
        (
            f"{name} {first} is a {DAYS[day]}. Which weekday is {target} {last} of that year?",
            f"If {name} {first} is a {DAYS[day]}, what day of the week is {target} {last} of that year?",
        )
    )
    rest = MONTHS[start][1] - first
    lines = [f"{name} has {MONTHS[start][1]} days: {MONTHS[start][1]} - {first} = {rest}"]
    weeks = level == 5 and rng.random() < 0.5  # keep only what is over whole weeks
    total = rest
    for month, length in MONTHS[start + 1 : end]:
        added = length - 28 if weeks else length
        lines.append(
            f"{month}: {length}{f' - 28 = {added}' if weeks else ''}, {sum_chain(total, added)}"
        )
        total += added
    lines += [f"{target}: {sum_chain(total, last)}", remainder_line(total + last, 7)]
    left = (total + last) % 7
    lines.append(_walk(day, left, 1))
    return Draft(("date", day, name, first, target, last), problem, lines, DAYS[(day + left) % 7])
