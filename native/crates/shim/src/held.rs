//! The container that the shim is for.

use ttrpc::{Code, Status};

use crate::container::Container;

/// The container, between Create and Delete.
#[derive(Debug)]
pub struct Held {
    id: String,
    container: Option<Container>,
}

impl Held {
    /// No container yet, but the id that it will have.
    #[must_use]
    pub const fn new(id: String) -> Self {
        Self { id, container: None }
    }

    /// The container, or that there is none.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub fn get(&mut self) -> Result<&mut Container, Status> {
        let id = &self.id;
        self.container.as_mut().ok_or_else(|| Status::new(Code::NotFound, format!("container {id} is not created")))
    }

    /// The container, if there is one.
    #[must_use]
    pub const fn peek(&self) -> Option<&Container> {
        self.container.as_ref()
    }

    /// As `peek`, to change it.
    pub const fn peek_mut(&mut self) -> Option<&mut Container> {
        self.container.as_mut()
    }

    pub fn put(&mut self, container: Container) {
        self.container = Some(container);
    }

    pub const fn take(&mut self) -> Option<Container> {
        self.container.take()
    }

    /// The container's id, also before there is one.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}
