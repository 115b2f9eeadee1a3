"""What every head must keep to, and what this one does."""

import torch
from iwm_devkit import check_head
from iwm_tasks.scaffold.head.example import Example


def test_contract() -> None:
    check_head(Example())


def test_the_first_answer_favours_nothing_and_a_few_steps_learn_two_classes() -> None:
    random = torch.Generator().manual_seed(0)
    tokens, labels = torch.randn(32, 4, 12, generator=random), torch.arange(32) % 2
    tokens[labels == 1, :, 0] += 3
    head = Example(hidden=16).build(width=12, outputs=2)
    assert head(tokens).abs().max() == 0
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head(tokens), labels).backward()
        optimizer.step()
    assert (head(tokens).argmax(dim=1) == labels).float().mean() > 0.9
