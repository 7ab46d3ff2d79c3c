//! The biggest prefixes of a stream of names, in bounded memory and with a bounded error.
//!
//! A trie whose nodes end behind separators, kept small by lossy counting (Manku and Motwani, "Approximate Frequency
//! Counts over Data Streams", VLDB 2002; over a hierarchy: Cormode, Korn, Muthukrishnan and Srivastava, "Finding
//! Hierarchical Heavy Hitters in Data Streams", VLDB 2003). All counts are exact until there are more prefixes than nodes.
//! Then the smaller half is forgotten, and a node that comes back says by how much its count may be too low.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// The most prefixes that are known at once.
const CAPACITY: usize = 16_384;

/// How much of a name is looked at, in bytes.
const MAX_BYTES: usize = 96;

/// The most prefixes of a name.
const MAX_DEPTH: usize = 8;

/// Where all names begin.
const ROOT: usize = 0;

/// Counts names under each of their prefixes, of which a name has eight at most, in its first 96 bytes.
///
/// With `n` names, no count is too low by more than about `n` / 1,024, and no prefix of more names than that is missing;
/// [`Prefixes::error`] is the exact bound. Takes 3 MB at most.
#[derive(Debug)]
pub(crate) struct Prefixes {
    /// Parents before their children.
    nodes: Vec<Node>,
    /// The nodes' prefixes, one behind the other.
    text: Vec<u8>,
    /// Nodes by prefix.
    index: HashTable<u32>,
    hasher: RandomState,
    /// That of the last name, which mostly is that of the next.
    last: usize,
    capacity: usize,
    /// Whether nodes were forgotten.
    full: bool,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    /// Where its prefix is in the text.
    start: u32,
    len: u8,
    hash: u64,
    /// Names that were counted here and for none of its children.
    own: u64,
    /// At most so many more came before the node was there.
    error: u64,
    /// At most so many came for each child that is not there.
    unseen: u64,
}

/// A prefix, and the biggest that begin with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// The whole prefix, exactly, with the separator at its end.
    pub name: String,
    /// At least so many names begin with it.
    pub keys: u64,
    /// At most so many more do; 0 where the count is exact.
    pub error: u64,
    /// Longer ones, by count.
    pub longer: Vec<Prefix>,
}

impl Prefix {
    /// The largest error of its count and theirs that begin with it.
    pub(crate) fn largest_error(&self) -> u64 {
        self.longer.iter().map(Self::largest_error).fold(self.error, u64::max)
    }
}

impl Default for Prefixes {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Prefixes {
    /// Keeps at most `capacity` prefixes.
    fn with_capacity(capacity: usize) -> Self {
        let root = Node { parent: 0, start: 0, len: 0, hash: 0, own: 0, error: 0, unseen: 0 };
        Self {
            nodes: vec![root],
            text: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::default(),
            last: ROOT,
            capacity,
            full: false,
        }
    }

    /// How many names were counted.
    pub(crate) fn total(&self) -> u64 {
        self.nodes.iter().map(|node| node.own).sum()
    }

    /// Every prefix of more names than this is known, and no count is too low by more; 0 where all are exact.
    pub(crate) fn error(&self) -> u64 {
        self.nodes.iter().map(|node| node.unseen.max(node.error)).max().unwrap_or_default()
    }

    /// Counts a name, as if it had come `times`.
    pub(crate) fn add(&mut self, name: &str, times: u64) {
        let ends = prefix_ends(name.as_bytes());
        let Some(longest) = ends.last() else {
            self.nodes[ROOT].own += times;
            return;
        };
        // Mostly the longest is known, and then it is the only one to be looked for.
        let prefix = &name.as_bytes()[..*longest];
        if self.nodes[self.last].prefix(&self.text) != prefix {
            self.last = self.find(prefix).unwrap_or_else(|_| self.grow(name.as_bytes(), &ends, times));
        }
        self.nodes[self.last].own += times;
        if self.nodes.len() > self.capacity + 1 {
            self.forget();
        }
    }

    /// The node of a prefix, or the hash to make it with.
    fn find(&self, prefix: &[u8]) -> Result<usize, u64> {
        let hash = self.hasher.hash_one(prefix);
        let same = |&id: &u32| {
            let node = &self.nodes[id as usize];
            node.hash == hash && node.prefix(&self.text) == prefix
        };
        self.index.find(hash, same).map(|&id| id as usize).ok_or(hash)
    }

    /// Makes the nodes that a name lacks, and returns that of its longest prefix. Once nodes were forgotten, only the
    /// shortest is made: most prefixes are rare then, and the longer ones wait until it comes again.
    fn grow(&mut self, name: &[u8], ends: &[usize], times: u64) -> usize {
        let mut above = ROOT;
        for &end in ends {
            let prefix = &name[..end];
            above = match self.find(prefix) {
                Ok(node) => node,
                Err(hash) if self.full => {
                    let node = self.insert(above, prefix, hash);
                    self.nodes[node].unseen += times;
                    return node;
                }
                Err(hash) => self.insert(above, prefix, hash),
            };
        }
        above
    }

    fn insert(&mut self, parent: usize, prefix: &[u8], hash: u64) -> usize {
        let (id, start) = (self.nodes.len(), small(self.text.len()));
        let error = self.nodes[parent].unseen;
        let len = u8::try_from(prefix.len()).unwrap_or(u8::MAX);
        self.text.extend_from_slice(prefix);
        self.nodes.push(Node { parent: small(parent), start, len, hash, own: 0, error, unseen: error });
        let nodes = &self.nodes;
        self.index.insert_unique(hash, small(id), |&id| nodes[id as usize].hash);
        id
    }

    /// How many names were counted for each node and all below it.
    fn counts(&self) -> Vec<u64> {
        let mut counts: Vec<u64> = self.nodes.iter().map(|node| node.own).collect();
        for (id, node) in self.nodes.iter().enumerate().skip(1).rev() {
            counts[node.parent as usize] += counts[id];
        }
        counts
    }

    /// Forgets the half of the nodes that may have come least; what was counted there now counts for the prefix above.
    /// A child may not have come more than its parent, so no node loses its parent.
    fn forget(&mut self) {
        let counts = self.counts();
        let most = |id: usize, node: &Node| counts[id] + node.error;
        let mut sorted: Vec<u64> = self.nodes.iter().enumerate().skip(1).map(|(id, node)| most(id, node)).collect();
        let middle = sorted.len() / 2;
        let (_, &mut bound, _) = sorted.select_nth_unstable(middle);
        let (nodes, text) = (std::mem::take(&mut self.nodes), std::mem::take(&mut self.text));
        self.index.clear();
        (self.full, self.last) = (true, ROOT);
        let mut moved: Vec<Option<usize>> = vec![None; nodes.len()];
        moved[ROOT] = Some(ROOT);
        self.nodes.push(nodes[ROOT]);
        for (old, node) in nodes.iter().enumerate().skip(1) {
            // Below one that is forgotten all are, and counted with it.
            let Some(parent) = moved[node.parent as usize] else { continue };
            let most = most(old, node);
            if most <= bound {
                let above = &mut self.nodes[parent];
                above.own += counts[old];
                above.unseen = above.unseen.max(most);
                continue;
            }
            let id = self.insert(parent, node.prefix(&text), node.hash);
            moved[old] = Some(id);
            self.nodes[id] = Node { parent: small(parent), start: self.nodes[id].start, ..*node };
        }
    }

    /// The biggest prefixes: at most `rows` in all, each of at least two names and of `least` (0 to 1) of all. One that
    /// only leads to a longer one, with every name, is left out.
    pub(crate) fn biggest(&self, rows: usize, least: f64) -> Vec<Prefix> {
        let counts = self.counts();
        let fewest = (counts[ROOT] as f64 * least).max(2.0);
        let mut leads_on = vec![false; self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate().skip(1) {
            leads_on[node.parent as usize] |= counts[node.parent as usize] == counts[id];
        }
        let mut chosen: Vec<usize> =
            (1..self.nodes.len()).filter(|&id| !leads_on[id] && counts[id] as f64 >= fewest).collect();
        // A parent comes before its children here too: it counts no less, and its number is lower.
        chosen.sort_by_key(|&id| (std::cmp::Reverse(counts[id]), id));
        chosen.truncate(rows);
        chosen.sort_unstable();
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for &id in &chosen {
            let mut above = self.nodes[id].parent as usize;
            while above != ROOT && chosen.binary_search(&above).is_err() {
                above = self.nodes[above].parent as usize;
            }
            below[above].push(id);
        }
        self.branches(ROOT, &counts, &below)
    }

    fn branches(&self, node: usize, counts: &[u64], below: &[Vec<usize>]) -> Vec<Prefix> {
        let branch = |&id: &usize| Prefix {
            // Names are UTF-8 and cut behind ASCII: nothing is lost.
            name: String::from_utf8_lossy(self.nodes[id].prefix(&self.text)).into_owned(),
            keys: counts[id],
            error: self.nodes[id].error,
            longer: self.branches(id, counts, below),
        };
        let mut branches: Vec<Prefix> = below[node].iter().map(branch).collect();
        branches.sort_by(|a, b| b.keys.cmp(&a.keys).then_with(|| a.name.cmp(&b.name)));
        branches
    }
}

impl Node {
    fn prefix<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        &text[start..start + usize::from(self.len)]
    }
}

/// Where a name's prefixes end: behind its first separators, of which any number together are one.
fn prefix_ends(name: &[u8]) -> Vec<usize> {
    let mut ends: Vec<usize> = Vec::with_capacity(MAX_DEPTH);
    for (index, _) in name.iter().take(MAX_BYTES).enumerate().filter(|(_, byte)| b":/.-".contains(byte)) {
        if ends.last() == Some(&index) {
            ends.pop();
        } else if ends.len() == MAX_DEPTH {
            break;
        }
        ends.push(index + 1);
    }
    ends
}

/// A number of a node, or a place in the text: capacity times the longest part is below 2 million.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
