//! A worker: an actor without the ceremony, made of one async block and one bounded inbox.
//!
//! Watch for three things: a call is answered through a `Reply`; the second message finds the mailbox of
//! one full and comes back to its sender; and the inbox ends by itself when the worker is asked to stop,
//! which leaves it the time to say its last word.

#![allow(clippy::print_stdout, reason = "an example talks to the reader")]

use std::time::Duration;

use perennial::{BoxError, Child, Inbox, Reply, Supervisor};

enum Msg {
    Deposit(u64),
    Balance(Reply<u64>),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let account = Child::worker("account", |_cx, mut inbox: Inbox<Msg>| async move {
        let mut balance = 0;
        while let Some(message) = inbox.recv().await {
            match message {
                Msg::Deposit(amount) => balance += amount,
                // Fails only when nobody waits for the answer any more.
                Msg::Balance(reply) => drop(reply.send(balance)),
            }
        }
        println!("the account closes with {balance}");
        Ok(())
    })
    .mailbox(1);
    let handle = account.handle();
    let running = Supervisor::one_for_one("bank")
        .child(account)
        .start()
        .await?;

    // On one thread the worker can't run between two casts: only an await lets it.
    handle.cast(Msg::Deposit(30))?;
    let Err(refused) = handle.cast(Msg::Deposit(12)) else {
        return Err("a mailbox of one took two messages".into());
    };
    println!("refused: {refused}");
    let message = refused.into_message();

    // A full mailbox is not waited for; asking again later is the sender's decision.
    tokio::task::yield_now().await;
    handle.cast(message)?;
    tokio::task::yield_now().await;
    println!("balance: {}", handle.call(Msg::Balance).await?);

    print!("\n{}", running.stop(Duration::from_secs(1)).await);
    Ok(())
}
