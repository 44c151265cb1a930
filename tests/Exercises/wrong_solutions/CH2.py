"""Typical wrong solutions of chapter 2, named `<exercise>__<mistake>`; the checks reject each."""

import torch


def word_pieces__characters(tokenizer, text):
    return list(text)


def word_pieces__ids(tokenizer, text):
    return tokenizer.encode(text)


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


def cache_bytes__keys_only(config, tokens, bytes_per_number):
    return (
        config.num_hidden_layers
        * config.num_key_value_heads
        * config.head_dim
        * tokens
        * bytes_per_number
    )


def cache_bytes__all_heads(config, tokens, bytes_per_number):
    return (
        2
        * config.num_hidden_layers
        * config.num_attention_heads
        * config.head_dim
        * tokens
        * bytes_per_number
    )


def cache_bytes__width_of_the_model(config, tokens, bytes_per_number):
    return 2 * config.num_hidden_layers * config.hidden_size * tokens * bytes_per_number


def left_pad__on_the_right(prompts, pad_id):
    longest = max(map(len, prompts))
    ids = torch.tensor([prompt + [pad_id] * (longest - len(prompt)) for prompt in prompts])
    mask = torch.tensor([[place < len(prompt) for place in range(longest)] for prompt in prompts])
    return ids, mask, torch.arange(longest).expand(len(prompts), -1) * mask


def left_pad__mask_from_the_ids(prompts, pad_id):
    longest = max(map(len, prompts))
    ids = torch.tensor([[pad_id] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = ids != pad_id
    return ids, mask, (mask.cumsum(dim=1) - 1).clamp(min=0)


def left_pad__positions_count_padding(prompts, pad_id):
    longest = max(map(len, prompts))
    ids = torch.tensor([[pad_id] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor(
        [[place >= longest - len(prompt) for place in range(longest)] for prompt in prompts]
    )
    return ids, mask, torch.arange(longest).expand(len(prompts), -1)


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
