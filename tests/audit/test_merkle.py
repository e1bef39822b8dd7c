"""The tree against the published vectors and the recursive definition of RFC 6962."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import merkle

# The eight leaves and the roots over the first n of them that certificate transparency's own
# implementations are tested with (certificate-transparency, merkletree test data).
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.integers(1, 600)


def leaves_of(size):
    return [hashlib.sha256(b"%d" % number).digest() for number in range(size)]


def split(size):
    left = 1
    while left * 2 < size:
        left *= 2
    return left


def recursive_root(leaves):
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    left = split(len(leaves))
    return merkle.node(recursive_root(leaves[:left]), recursive_root(leaves[left:]))


def recursive_path(index, leaves):
    """RFC 6962, 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    left = split(len(leaves))
    if index < left:
        return [*recursive_path(index, leaves[:left]), recursive_root(leaves[left:])]
    return [*recursive_path(index - left, leaves[left:]), recursive_root(leaves[:left])]


def recursive_subproof(first, leaves, complete=True):
    """RFC 6962, 2.1.2, word for word."""
    if first == len(leaves):
        return [] if complete else [recursive_root(leaves)]
    left = split(len(leaves))
    if first <= left:
        inner = recursive_subproof(first, leaves[:left], complete)
        return [*inner, recursive_root(leaves[left:])]
    inner = recursive_subproof(first - left, leaves[left:], False)
    return [*inner, recursive_root(leaves[:left])]


@pytest.mark.requirement("URS-AUD-022")
@pytest.mark.parametrize("size", range(9))
def test_the_published_roots_are_met(size):
    leaves = [merkle.leaf_hash(content) for content in CT_LEAVES[:size]]
    assert merkle.root(leaves).hex() == CT_ROOTS[size]


@pytest.mark.requirement("URS-AUD-022")
@settings(deadline=None)
@given(SIZES)
def test_the_root_is_that_of_the_recursive_definition(size):
    assert merkle.root(leaves_of(size)) == recursive_root(leaves_of(size))


@settings(deadline=None)
@given(SIZES, st.data())
def test_the_growing_root_is_right_at_every_size(size, data):
    leaves = leaves_of(size)
    cut = data.draw(st.integers(0, size))
    tree = merkle.Tree()
    tree.append(leaves[:cut])
    assert tree.root == recursive_root(leaves[:cut])
    tree.append(leaves[cut:])
    assert (tree.size, tree.root) == (size, recursive_root(leaves))


@pytest.mark.requirement("URS-AUD-022")
@settings(deadline=None)
@given(st.integers(0, 700), st.integers(0, 700))
def test_a_tree_continues_from_its_right_edge(before, after):
    leaves = leaves_of(before + after)
    tree = merkle.Tree()
    tree.append(leaves[:before])
    restored = merkle.Tree.restore(tree.size, tree.right_edge)
    assert restored.root == tree.root
    assert restored.append(leaves[before:]) == tree.append(leaves[before:])
    assert (restored.root, restored.right_edge) == (tree.root, tree.right_edge)


def test_tiles_of_level_one_and_two_hold_the_roots_below_them():
    leaves = leaves_of(256) * 256
    tree = merkle.Tree()
    tiles = tree.append(leaves)
    below = merkle.root(leaves[:256])
    assert tiles == [(1, 0, below * 256)]
    assert tree.right_edge == [[], [], [tree.root]]
    tiles = tree.append(leaves * 2)
    assert [(level, index) for level, index, _ in tiles] == [(1, 1), (1, 2)]
    assert merkle.Tree.restore(tree.size, tree.right_edge).root == tree.root


@pytest.mark.parametrize(
    ("size", "edge"), [(1, [[]]), (0, [[bytes(32)]]), (256, [[]]), (257, [[bytes(32)], []])]
)
def test_an_edge_of_another_size_is_refused(size, edge):
    with pytest.raises(ValueError, match="has an edge of"):
        merkle.Tree.restore(size, edge)


def test_a_leaf_of_another_length_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        merkle.Tree().append([b"short"])


@pytest.mark.requirement("URS-AUD-022")
@settings(deadline=None)
@given(SIZES, st.data())
def test_inclusion_proofs_are_those_of_the_rfc_and_verify(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    proof = merkle.inclusion_proof(index, size, merkle.fetch_from_leaves(leaves))
    assert proof == recursive_path(index, leaves)
    root = recursive_root(leaves)
    facts = {"index": index, "size": size, "proof": proof, "root": root}
    assert merkle.verify_inclusion(leaves[index], **facts)
    assert not merkle.verify_inclusion(bytes(32), **facts)
    assert not merkle.verify_inclusion(leaves[index], **{**facts, "proof": [*proof, root]})
    assert not merkle.verify_inclusion(leaves[index], **{**facts, "index": size})
    if proof:
        assert not merkle.verify_inclusion(leaves[index], **{**facts, "proof": proof[:-1]})
        assert not merkle.verify_inclusion(leaves[index], **{**facts, "index": (index + 1) % size})


@pytest.mark.requirement("URS-AUD-022")
@settings(deadline=None)
@given(SIZES, st.data())
def test_consistency_proofs_are_those_of_the_rfc_and_verify(second, data):
    first = data.draw(st.integers(1, second))
    leaves = leaves_of(second)
    proof = merkle.consistency_proof(first, second, merkle.fetch_from_leaves(leaves))
    assert proof == recursive_subproof(first, leaves)
    facts = {
        "first": first,
        "second": second,
        "first_root": recursive_root(leaves[:first]),
        "second_root": recursive_root(leaves),
        "proof": proof,
    }
    assert merkle.verify_consistency(**facts)
    assert not merkle.verify_consistency(**{**facts, "proof": [*proof, bytes(32)]})
    assert not merkle.verify_consistency(**{**facts, "first_root": bytes(32)})
    assert not merkle.verify_consistency(**{**facts, "second_root": bytes(32)})
    if proof:
        assert not merkle.verify_consistency(**{**facts, "proof": proof[1:]})


@settings(deadline=None)
@given(st.integers(1, 70_000), st.data())
def test_proofs_read_from_tiles_equal_those_from_leaves(size, data):
    index = data.draw(st.integers(0, size - 1))
    level_0 = b"".join(leaves_of(256)) * (size // 256 + 1)
    tree = merkle.Tree()
    tiles = tree.append(level_0[i : i + 32] for i in range(0, size * 32, 32))
    stored = {(level, number): content for level, number, content in tiles}

    def read_tile(level, number):
        if level == 0:
            return level_0[: size * 32][number * 8192 : (number + 1) * 8192]
        return stored.get((level, number)) or b"".join(tree.right_edge[level])

    proof = merkle.inclusion_proof(index, size, merkle.fetch_from_tiles(read_tile))
    leaf = level_0[index * 32 : index * 32 + 32]
    assert merkle.verify_inclusion(leaf, index=index, size=size, proof=proof, root=tree.root)


def test_a_tile_that_is_too_short_is_refused():
    fetch = merkle.fetch_from_tiles(lambda level, number: bytes(32))
    with pytest.raises(ValueError, match="too short"):
        merkle.inclusion_proof(0, 4, fetch)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_no_inclusion_proof_for_a_leaf_outside_the_tree(index, size):
    with pytest.raises(ValueError, match="is not in a tree"):
        merkle.inclusion_proof(index, size, merkle.fetch_from_leaves([]))


@pytest.mark.parametrize(("first", "second"), [(0, 1), (2, 1)])
def test_no_consistency_proof_backwards_or_from_nothing(first, second):
    with pytest.raises(ValueError, match="no consistency proof"):
        merkle.consistency_proof(first, second, merkle.fetch_from_leaves([]))
    nothing = {"first_root": b"", "second_root": b"", "proof": []}
    assert not merkle.verify_consistency(first=first, second=second, **nothing)
