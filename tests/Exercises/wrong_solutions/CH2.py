"""Typical wrong solutions of chapter 2, named `<exercise>__<mistake>`; the checks reject each."""

from time import perf_counter

import torch

from Appendixes.KVcache import KVCache
from CH2.prompts import CHAIN_OF_THOUGHT, render
from Exercises.solutions import CH2 as solutions  # noqa: N811


def tokens_that_stay__all_of_them(tokenizer, text, more):
    return len(tokenizer.encode(text))


def tokens_that_stay__wherever_they_stand(tokenizer, text, more):
    return len(set(tokenizer.encode(text)) & set(tokenizer.encode(text + more)))


def tokens_that_stay__behind_the_difference(tokenizer, text, more):
    both = zip(tokenizer.encode(text), tokenizer.encode(text + more), strict=False)
    return sum(before == after for before, after in both)


def tokens_that_stay__characters(tokenizer, text, more):
    return len(text)


def rms_norm__subtracts_the_mean(x, weight, eps):
    x = x - x.mean(dim=-1, keepdim=True)
    return x * torch.rsqrt((x * x).mean(dim=-1, keepdim=True) + eps) * weight


def rms_norm__one_root_for_all(x, weight, eps):
    return x * torch.rsqrt((x * x).mean() + eps) * weight


def rms_norm__eps_beside_the_root(x, weight, eps):
    return x / ((x * x).mean(dim=-1, keepdim=True).sqrt() + eps) * weight


def next_token_probabilities__overflows(logits):
    odds = logits[:, -1].exp()
    return odds / odds.sum(dim=-1, keepdim=True)


def next_token_probabilities__every_position(logits):
    return logits.softmax(dim=-1)


def next_token_probabilities__over_the_batch(logits):
    return logits[:, -1].softmax(dim=0)


def input_for__always_the_processor(model, ids):
    return torch.tensor([ids])


def input_for__no_batch(model, ids):
    return torch.tensor(ids, device=next(model.parameters()).device)


def until_stop__hands_out_the_stop_token(tokens, stop_ids):
    for token in tokens:
        yield token
        if token in stop_ids:
            return


def until_stop__skips_stop_tokens(tokens, stop_ids):
    for token in tokens:
        if token not in stop_ids:
            yield token


def until_stop__reads_all_first(tokens, stop_ids):
    for token in list(tokens):
        if token in stop_ids:
            return
        yield token


def generate_by_hand__with_the_stop_token(model, input_ids, max_new_tokens, stop_ids):
    ids, new = input_ids, []
    for _ in range(max_new_tokens):
        new.append(model(ids)[0, -1].argmax().item())
        if new[-1] in stop_ids:
            break
        ids = torch.cat((ids, torch.tensor([[new[-1]]])), dim=1)
    return new


def generate_by_hand__never_stops(model, input_ids, max_new_tokens, stop_ids):
    ids = input_ids
    for _ in range(max_new_tokens):
        ids = torch.cat((ids, model(ids)[0, -1].argmax().view(1, 1)), dim=1)
    return ids[0, input_ids.shape[1] :].tolist()


def generate_by_hand__forgets_the_text(model, input_ids, max_new_tokens, stop_ids):
    new, ids = [], input_ids
    for _ in range(max_new_tokens):
        token = model(ids)[0, -1].argmax()
        if token.item() in stop_ids:
            break
        new.append(token.item())
        ids = token.view(1, 1)
    return new


def complete_characters__each_piece_alone(pieces):
    for piece in pieces:
        yield piece.decode(errors="replace")


def complete_characters__all_at_the_end(pieces):
    yield b"".join(pieces).decode()


def complete_characters__waits_for_whole_pieces(pieces):
    held = b""
    for piece in pieces:
        held += piece
        try:
            text = held.decode()
        except UnicodeDecodeError:
            continue
        held = b""
        yield text


def positions_read__reads_the_last_token_too(prompt, new, cached):
    return prompt + new if cached else sum(prompt + step for step in range(1, new + 1))


def positions_read__cache_ignored(prompt, new, cached):
    return sum(prompt + step for step in range(new))


def tokens_per_second__reading_the_prompt_counts(tokens, clock):
    started = clock()
    return len(list(tokens)) / (clock() - started)


def tokens_per_second__one_token_too_many(tokens, clock):
    times = [clock() for _ in tokens]
    return len(times) / (times[-1] - times[0])


def rotate__neighbours_are_pairs(x, position, theta):
    angles = position * theta ** (-2 * torch.arange(len(x) // 2) / len(x))
    first, second = x[::2], x[1::2]
    turned = (
        first * angles.cos() - second * angles.sin(),
        second * angles.cos() + first * angles.sin(),
    )
    return torch.stack(turned, dim=-1).flatten()


def rotate__backwards(x, position, theta):
    half = len(x) // 2
    angles = -position * theta ** (-2 * torch.arange(half) / len(x))
    first, second = x[:half], x[half:]
    return torch.cat(
        (first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin())
    )


def rotate__overwrites_the_first_half(x, position, theta):
    half = len(x) // 2
    angles = position * theta ** (-2 * torch.arange(half) / len(x))
    x[:half] = x[:half] * angles.cos() - x[half:] * angles.sin()
    x[half:] = x[half:] * angles.cos() + x[:half] * angles.sin()
    return x


def _attend(q, k, v, *, kv_head, causal=True, scale=True):
    out = torch.zeros_like(q)
    for head in range(len(q)):
        keys, values = k[kv_head(head)], v[kv_head(head)]
        for n in range(q.shape[1]):
            seen = n + 1 if causal else q.shape[1]
            scores = keys[:seen] @ q[head, n] / (q.shape[2] ** 0.5 if scale else 1)
            out[head, n] = scores.softmax(dim=0) @ values[:seen]
    return out


def attend__heads_in_turn(q, k, v):
    return _attend(q, k, v, kv_head=lambda head: head % len(k))


def attend__looks_ahead(q, k, v):
    return _attend(q, k, v, kv_head=lambda head: head * len(k) // len(q), causal=False)


def attend__not_scaled(q, k, v):
    return _attend(q, k, v, kv_head=lambda head: head * len(k) // len(q), scale=False)


def append_to_buffer__doubles_once(buffer, length, new):
    end = length + new.shape[1]
    if end > buffer.shape[1]:
        buffer = torch.cat((buffer, torch.empty_like(buffer)), dim=1)
    buffer[:, length:end] = new
    return buffer, end


def append_to_buffer__forgets_the_old(buffer, length, new):
    end, capacity = length + new.shape[1], buffer.shape[1]
    while capacity < end:
        capacity *= 2
    if capacity > buffer.shape[1]:
        buffer = buffer.new_zeros(len(buffer), capacity, buffer.shape[2])
    buffer[:, length:end] = new
    return buffer, end


def append_to_buffer__always_a_copy(buffer, length, new):
    end, capacity = length + new.shape[1], buffer.shape[1]
    while capacity < end:
        capacity *= 2
    larger = buffer.new_zeros(len(buffer), capacity, buffer.shape[2])
    larger[:, :length] = buffer[:, :length]
    larger[:, length:end] = new
    return larger, end


def stream_with_cache__without_the_cache(model, cache, input_ids, max_new_tokens, stop_ids):
    for _ in range(max_new_tokens):
        token = model(input_ids)[0, -1].argmax()
        if token.item() in stop_ids:
            return
        yield token.item()
        input_ids = torch.cat((input_ids, token.view(1, 1)), dim=1)


def stream_with_cache__reads_the_text_again(model, cache, input_ids, max_new_tokens, stop_ids):
    for _ in range(max_new_tokens):
        token = model(input_ids, cache)[0, -1].argmax()
        if token.item() in stop_ids:
            return
        yield token.item()
        input_ids = torch.cat((input_ids, token.view(1, 1)), dim=1)


def stream_with_cache__one_call_too_many(model, cache, input_ids, max_new_tokens, stop_ids):
    token = model(input_ids, cache)[0, -1].argmax()
    for _ in range(max_new_tokens):
        if token.item() in stop_ids:
            return
        yield token.item()
        token = model(token.view(1, 1), cache)[0, -1].argmax()


def _longest(memory, numbers, config, bytes_per_number):
    return min(memory // (numbers * bytes_per_number), config.max_position_embeddings)


def longest_text__keys_only(config, memory, bytes_per_number):
    numbers = config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    return _longest(memory, numbers, config, bytes_per_number)


def longest_text__all_heads(config, memory, bytes_per_number):
    numbers = 2 * config.num_hidden_layers * config.num_attention_heads * config.head_dim
    return _longest(memory, numbers, config, bytes_per_number)


def longest_text__width_of_the_model(config, memory, bytes_per_number):
    numbers = 2 * config.num_hidden_layers * config.hidden_size
    return _longest(memory, numbers, config, bytes_per_number)


def longest_text__more_than_the_model_can_read(config, memory, bytes_per_number):
    numbers = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    return memory // (numbers * bytes_per_number)


def next_scores__in_the_last_column(logits, mask):
    return logits[:, -1]


def next_scores__by_the_number_of_tokens(logits, mask):
    return logits[torch.arange(len(mask)), mask.sum(dim=1) - 1]


def next_scores__at_the_first_token(logits, mask):
    return logits[torch.arange(len(mask)), mask.int().argmax(dim=1)]


def merge_pairs__from_left_to_right(word, ranks):
    pieces = list(word)
    at = 0
    while at + 1 < len(pieces):
        if (pieces[at], pieces[at + 1]) in ranks:
            pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
            at = 0
        else:
            at += 1
    return pieces


def merge_pairs__merges_once(word, ranks):
    pieces = list(word)
    for pair in sorted(ranks, key=ranks.get):
        for at in range(len(pieces) - 1):
            if (pieces[at], pieces[at + 1]) == pair:
                pieces[at : at + 2] = ["".join(pair)]
                return pieces
    return pieces


def gated_feed_forward__gates_the_wrong_way_round(x, gate, up, down):
    return (torch.nn.functional.silu(x @ up.T) * (x @ gate.T)) @ down.T


def gated_feed_forward__relu(x, gate, up, down):
    return ((x @ gate.T).relu() * (x @ up.T)) @ down.T


def gated_feed_forward__silu_of_the_product(x, gate, up, down):
    return torch.nn.functional.silu((x @ gate.T) * (x @ up.T)) @ down.T


def _block(x, weights, config, second=None, norm_heads=True, turn=True, first_norm=True):
    """A block with a fault: options switch parts of it off."""
    eps = config.rms_norm_eps

    def heads(name):
        rows = h @ weights[f"self_attn.{name}_proj.weight"].T
        rows = rows.unflatten(-1, (-1, config.head_dim)).transpose(0, 1)
        if norm_heads and name != "v":
            rows = solutions.rms_norm(rows, weights[f"self_attn.{name}_norm.weight"], eps)
        if turn and name != "v":
            turned = [
                [solutions.rotate(row, n, config.rope_theta) for n, row in enumerate(head)]
                for head in rows
            ]
            rows = torch.stack([torch.stack(head) for head in turned])
        return rows

    h = solutions.rms_norm(x, weights["input_layernorm.weight"], eps) if first_norm else x
    seen = solutions.attend(heads("q"), heads("k"), heads("v")).transpose(0, 1).flatten(1)
    after = x + seen @ weights["self_attn.o_proj.weight"].T
    stream = after if second is None else x
    h = solutions.rms_norm(stream, weights["post_attention_layernorm.weight"], eps)
    parts = [weights[f"mlp.{name}_proj.weight"] for name in ("gate", "up", "down")]
    return after + solutions.gated_feed_forward(h, *parts)


def transformer_block__both_branches_read_the_same_stream(x, weights, config):
    return _block(x, weights, config, second="x")


def transformer_block__no_norm_of_heads(x, weights, config):
    return _block(x, weights, config, norm_heads=False)


def transformer_block__forgets_positions(x, weights, config):
    return _block(x, weights, config, turn=False)


def transformer_block__normalises_after_attention_only(x, weights, config):
    return _block(x, weights, config, first_norm=False)


def _model(ids, weights, config, last_norm=True, layers=None):
    x = weights["embed_tokens.weight"][ids]
    for number in range(config.num_hidden_layers if layers is None else layers):
        prefix = f"layers.{number}."
        block = {name.removeprefix(prefix): weights[name] for name in weights if prefix in name}
        x = solutions.transformer_block(x, block, config)
    if last_norm:
        x = solutions.rms_norm(x, weights["norm.weight"], config.rms_norm_eps)
    return x @ weights["lm_head.weight"].T


def small_model__no_last_norm(ids, weights, config):
    return _model(ids, weights, config, last_norm=False)


def small_model__one_block_only(ids, weights, config):
    return _model(ids, weights, config, layers=1)


def small_model__a_block_too_few(ids, weights, config):
    return _model(ids, weights, config, layers=config.num_hidden_layers - 1)


def _left_pad(prompts, pad_id):
    longest = max(map(len, prompts))
    ids = [[pad_id] * (longest - len(prompt)) + prompt for prompt in prompts]
    real = [[place >= longest - len(prompt) for place in range(longest)] for prompt in prompts]
    return torch.tensor(ids), torch.tensor(real)


def generate_rows__all_go_on_until_the_last_has_ended(
    model, prompts, max_new_tokens, stop_ids, pad_id
):
    texts, new = [list(prompt) for prompt in prompts], [[] for _ in prompts]
    ended = [False] * len(prompts)
    for _ in range(max_new_tokens):
        if all(ended):
            break
        ids, mask = _left_pad(texts, pad_id)
        for row, token in enumerate(model(ids, padding_mask=mask)[:, -1].argmax(-1).tolist()):
            ended[row] = ended[row] or token in stop_ids
            texts[row].append(token)
            if not ended[row]:
                new[row].append(token)
    return new


def generate_rows__one_after_another(model, prompts, max_new_tokens, stop_ids, pad_id):
    return [
        solutions.generate_rows(model, [prompt], max_new_tokens, stop_ids, pad_id)[0]
        for prompt in prompts
    ]


def generate_rows__pads_on_the_right(model, prompts, max_new_tokens, stop_ids, pad_id):
    texts, new = [list(prompt) for prompt in prompts], [[] for _ in prompts]
    growing = list(range(len(prompts)))
    while growing:
        longest = max(len(texts[row]) for row in growing)
        ids = torch.tensor([texts[r] + [pad_id] * (longest - len(texts[r])) for r in growing])
        real = [[n < len(texts[r]) for n in range(longest)] for r in growing]
        chosen = model(ids, padding_mask=torch.tensor(real))[:, -1].argmax(-1).tolist()
        for row, token in zip(list(growing), chosen, strict=True):
            if token in stop_ids:
                growing.remove(row)
                continue
            new[row].append(token)
            texts[row].append(token)
            if len(new[row]) == max_new_tokens:
                growing.remove(row)
    return new


def generate_rows__keeps_the_stop_token(model, prompts, max_new_tokens, stop_ids, pad_id):
    texts, new = [list(prompt) for prompt in prompts], [[] for _ in prompts]
    growing = list(range(len(prompts)))
    while growing:
        ids, mask = _left_pad([texts[row] for row in growing], pad_id)
        chosen = model(ids, padding_mask=mask)[:, -1].argmax(-1).tolist()
        for row, token in zip(list(growing), chosen, strict=True):
            new[row].append(token)
            texts[row].append(token)
            if token in stop_ids or len(new[row]) == max_new_tokens:
                growing.remove(row)
    return new


def _codes(packed):
    return torch.stack((packed % 16, packed // 16), dim=-1).flatten(1)


def _four_bits(x, codes, scales, offsets):
    groups = scales.shape[1]
    x, codes = x.unflatten(0, (groups, -1)), codes.unflatten(1, (groups, -1))
    return (scales * (codes * x).sum(dim=-1) + offsets * x.sum(dim=-1)).sum(dim=-1)


def four_bit_product__bytes_the_other_way_round(x, packed, scales, offsets):
    codes = torch.stack((packed // 16, packed % 16), dim=-1).flatten(1)
    return _four_bits(x, codes, scales, offsets)


def four_bit_product__lower_halves_first(x, packed, scales, offsets):
    return _four_bits(x, torch.cat((packed % 16, packed // 16), dim=1), scales, offsets)


def four_bit_product__adds_the_offset_once(x, packed, scales, offsets):
    zero = torch.zeros_like(offsets)
    return _four_bits(x, _codes(packed), scales, zero) + offsets.sum(dim=-1)


def four_bit_product__one_scale_per_row(x, packed, scales, offsets):
    return _four_bits(x, _codes(packed), scales[:, :1], offsets[:, :1])


def chat_prompt__keeps_earlier_thoughts(messages, thinking):
    text = "".join(
        f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages
    )
    return text + "<|im_start|>assistant\n" + ("" if thinking else "<think>\n\n</think>\n\n")


def chat_prompt__closes_the_last_turn(messages, thinking):
    text = solutions.chat_prompt(messages, thinking)
    return text + "<|im_end|>\n"


def chat_prompt__empty_thought_when_thinking(messages, thinking):
    return solutions.chat_prompt(messages, not thinking)


def race__reads_everything_again_for_both(model, tokenizer, question, max_new_tokens):
    ids = solutions.input_for(model, tokenizer.encode(render(CHAIN_OF_THOUGHT, question)))
    start = perf_counter()
    for _ in range(2):
        new = solutions.generate_by_hand(model, ids, max_new_tokens, tokenizer.stop_ids)
    return tokenizer.decode(new), perf_counter() - start, perf_counter() - start


def race__asks_the_bare_question(model, tokenizer, question, max_new_tokens):
    ids = solutions.input_for(model, tokenizer.encode(question))
    start = perf_counter()
    solutions.generate_by_hand(model, ids, max_new_tokens, tokenizer.stop_ids)
    middle = perf_counter()
    stream = solutions.stream_with_cache(model, KVCache(), ids, max_new_tokens, tokenizer.stop_ids)
    text = tokenizer.decode(list(stream))
    return text, middle - start, perf_counter() - middle


def race__runs_the_stream_after_the_race(model, tokenizer, question, max_new_tokens):
    ids = solutions.input_for(model, tokenizer.encode(render(CHAIN_OF_THOUGHT, question)))
    start = perf_counter()
    solutions.generate_by_hand(model, ids, max_new_tokens, tokenizer.stop_ids)
    middle = perf_counter()
    tokens = solutions.stream_with_cache(model, KVCache(), ids, max_new_tokens, tokenizer.stop_ids)
    end = perf_counter()
    return tokenizer.decode(list(tokens)), middle - start, end - middle


def race__both_times_from_one_start(model, tokenizer, question, max_new_tokens):
    ids = solutions.input_for(model, tokenizer.encode(render(CHAIN_OF_THOUGHT, question)))
    start = perf_counter()
    solutions.generate_by_hand(model, ids, max_new_tokens, tokenizer.stop_ids)
    slow = perf_counter() - start
    stream = solutions.stream_with_cache(model, KVCache(), ids, max_new_tokens, tokenizer.stop_ids)
    return tokenizer.decode(list(stream)), slow, perf_counter() - start


def race__never_runs_the_stream(model, tokenizer, question, max_new_tokens):
    ids = solutions.input_for(model, tokenizer.encode(render(CHAIN_OF_THOUGHT, question)))
    tokens = solutions.generate_by_hand(model, ids, max_new_tokens, tokenizer.stop_ids)
    solutions.stream_with_cache(model, KVCache(), ids, max_new_tokens, tokenizer.stop_ids)
    return tokenizer.decode(tokens), 1.0, 0.5
