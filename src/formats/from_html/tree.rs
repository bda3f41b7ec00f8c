//! The tree of an HTML fragment, as html5ever builds it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use html5ever::interface::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::{Attribute, QualName, local_name, ns};
use html5ever::{ParseOpts, parse_fragment};

use crate::formats::work::Work;

/// The deepest nesting that is read. Parsing takes time by the square of it.
const DEPTH: usize = 256;

/// Nodes, at most: unclosed elements are opened again in each block, so that a few bytes may become many of them.
const NODES: usize = 1_000_000;

/// Bytes that are parsed before it is looked at how far it has come.
const CHUNK: usize = 4_096;

/// HTML that is nested too deeply, or that takes too much work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the HTML is nested deeper than {DEPTH}, or takes too much work to read")]
pub struct Tangled;

/// Nodes by their numbers; the first one is the root.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    parent: Option<usize>,
    children: Vec<usize>,
    depth: usize,
    content: Content,
}

/// What a node is.
#[derive(Debug)]
pub enum Content {
    Element {
        name: Rc<QualName>,
        attributes: Vec<Attribute>,
    },
    Text(StrTendril),
    /// The root, and what shows nothing.
    Nothing,
}

impl Tree {
    /// Reads a fragment as it would stand in the body of a page.
    ///
    /// # Errors
    /// It is nested too deeply, or takes too much work, what was done before included.
    pub fn parse(html: &str, work: &Work) -> Result<Self, Tangled> {
        let context = QualName::new(None, ns!(html), local_name!("body"));
        let mut parser = parse_fragment(Sink::new(), ParseOpts::default(), context, Vec::new(), false);
        let mut rest = html;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.floor_char_boundary(CHUNK.min(rest.len())));
            rest = after;
            parser.process(chunk.into());
            let sink = &parser.tokenizer.sink.sink;
            let nodes = sink.nodes.borrow().len();
            if sink.deepest.get() > DEPTH || nodes > NODES || work.is_too_much() {
                return Err(Tangled);
            }
        }
        Ok(parser.finish())
    }

    /// Returns the children of a node.
    pub fn children(&self, node: usize) -> &[usize] {
        &self.nodes[node].children
    }

    /// Returns what a node is.
    pub fn content(&self, node: usize) -> &Content {
        &self.nodes[node].content
    }
}

/// A node as the parser holds it; what is no element has an empty name.
#[derive(Clone)]
struct Handle {
    node: usize,
    name: Rc<QualName>,
}

struct Sink {
    nodes: RefCell<Vec<Node>>,
    deepest: Cell<usize>,
    nameless: Rc<QualName>,
}

impl Sink {
    fn new() -> Self {
        let root = Node { parent: None, children: Vec::new(), depth: 0, content: Content::Nothing };
        let nameless = Rc::new(QualName::new(None, ns!(), local_name!("")));
        Self { nodes: RefCell::new(vec![root]), deepest: Cell::new(0), nameless }
    }

    fn add(&self, content: Content) -> Handle {
        let name = match &content {
            Content::Element { name, .. } => name.clone(),
            _ => self.nameless.clone(),
        };
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { parent: None, children: Vec::new(), depth: 0, content });
        Handle { node: nodes.len() - 1, name }
    }

    /// Puts a child into a node, before the one at this index.
    fn insert(&self, parent: usize, index: usize, child: NodeOrText<Handle>) {
        let child = match child {
            NodeOrText::AppendNode(handle) => handle.node,
            NodeOrText::AppendText(text) => {
                let before = index.checked_sub(1).map(|before| self.nodes.borrow()[parent].children[before]);
                let mut nodes = self.nodes.borrow_mut();
                if let Some(Content::Text(all)) = before.map(|before| &mut nodes[before].content) {
                    all.push_tendril(&text);
                    return;
                }
                drop(nodes);
                self.add(Content::Text(text)).node
            }
        };
        self.detach(child);
        let mut nodes = self.nodes.borrow_mut();
        let depth = nodes[parent].depth + 1;
        let index = index.min(nodes[parent].children.len());
        nodes[parent].children.insert(index, child);
        nodes[child].parent = Some(parent);
        nodes[child].depth = depth;
        self.deepest.set(self.deepest.get().max(depth));
    }

    fn detach(&self, node: usize) {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(parent) = nodes[node].parent.take()
            && let Some(at) = nodes[parent].children.iter().rposition(|child| *child == node)
        {
            nodes[parent].children.remove(at);
        }
    }
}

impl TreeSink for Sink {
    type Handle = Handle;
    type Output = Tree;
    type ElemName<'a> = &'a QualName;

    fn finish(self) -> Tree {
        Tree { nodes: self.nodes.into_inner() }
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> Handle {
        Handle { node: 0, name: self.nameless.clone() }
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> &'a QualName {
        &target.name
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> Handle {
        self.add(Content::Element { name: Rc::new(name), attributes })
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        self.add(Content::Nothing)
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        self.add(Content::Nothing)
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        let end = self.nodes.borrow()[parent.node].children.len();
        self.insert(parent.node, end, child);
    }

    fn append_based_on_parent_node(
        &self,
        element: &Handle,
        prev_element: &Handle,
        child: NodeOrText<Handle>,
    ) {
        if self.nodes.borrow()[element.node].parent.is_some() {
            self.append_before_sibling(element, child);
        } else {
            self.append(prev_element, child);
        }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    /// What is in a template is shown to nobody: it lies beside the tree.
    fn get_template_contents(&self, _: &Handle) -> Handle {
        self.add(Content::Nothing)
    }

    fn same_node(&self, x: &Handle, y: &Handle) -> bool {
        x.node == y.node
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &Handle, new_node: NodeOrText<Handle>) {
        if let NodeOrText::AppendNode(new) = &new_node {
            self.detach(new.node);
        }
        let place = {
            let nodes = self.nodes.borrow();
            nodes[sibling.node].parent.and_then(|parent| {
                let at = nodes[parent].children.iter().rposition(|child| *child == sibling.node)?;
                Some((parent, at))
            })
        };
        if let Some((parent, at)) = place {
            self.insert(parent, at, new_node);
        }
    }

    fn add_attrs_if_missing(&self, target: &Handle, more: Vec<Attribute>) {
        if let Content::Element { attributes, .. } = &mut self.nodes.borrow_mut()[target.node].content {
            for attribute in more {
                if attributes.iter().all(|there| there.name != attribute.name) {
                    attributes.push(attribute);
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &Handle) {
        self.detach(target.node);
    }

    fn reparent_children(&self, node: &Handle, new_parent: &Handle) {
        let children = std::mem::take(&mut self.nodes.borrow_mut()[node.node].children);
        for child in children {
            self.nodes.borrow_mut()[child].parent = None;
            let handle = Handle { node: child, name: self.nameless.clone() };
            self.append(new_parent, NodeOrText::AppendNode(handle));
        }
    }
}
