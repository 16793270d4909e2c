//! The pages of lines: a line is written, published, tried and rolled back; the page of the audit log shows all that.

use crate::support::browser::Browser;
use crate::support::{KEY, PbxPlan, PbxWorld};
use crate::worlds::with_keys;

const NUMBER: &str = "+12025550177";

/// Fills the form of the next version, and sends it with the button of this value.
async fn write(browser: &Browser, agent: &str, note: &str, publish: bool) {
    for (field, text) in [("agent_id", agent), ("note", note)] {
        let field = browser.shown(&format!("#next-version [name={field}]")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }
    browser.click(&format!("#next-version button[value='{publish}']")).await;
    if publish {
        confirm(browser).await;
    }
}

async fn confirm(browser: &Browser) {
    browser.click("dialog.confirm button.primary").await;
}

#[actix::test]
async fn a_line_is_edited_published_and_rolled_back_and_the_audit_log_has_it() {
    let world = PbxWorld::with(with_keys(PbxPlan::default())).await;
    let Some(browser) = Browser::start(&world.app.url()).await else { return world.stop().await };
    browser.sign_in(KEY, "/lines").await;
    browser.says("main .empty", "No number has a line of its own").await;
    browser.shown("#open-line [name=number]").await.send_keys(NUMBER).await.unwrap();
    browser.click("#open-line button").await;
    browser.says("main .empty", "The first version makes one").await;
    write(&browser, "agent_one", "the first", true).await;
    browser.says("main", "Version 1 counts").await;
    // What counts is in the form of the next version.
    let filled = "return document.querySelector('#next-version [name=agent_id]').value";
    assert_eq!(browser.run(filled, Vec::new()).await, "agent_one");
    write(&browser, "agent_two", "a <b>try</b>", false).await;
    browser.says("main table", "draft").await;
    browser.says("main table", "a <b>try</b>").await;
    browser.says("main", "Version 1 counts").await;
    let percent = browser.shown("form[action$='/publish'] [name=percent]").await;
    percent.clear().await.unwrap();
    percent.send_keys("10").await.unwrap();
    browser.click("form[action$='/publish'] button").await;
    confirm(&browser).await;
    browser.says("main", "version 2 is on trial for 10 of 100 callers").await;
    browser.open("/lines").await;
    browser.says("main table", "version 2 for 10 % of callers").await;
    browser.press("j").await;
    browser.press("\u{E007}").await;
    browser.says("main h2", NUMBER).await;
    browser.click("form[action$='/rollback'] button").await;
    confirm(&browser).await;
    browser.says(".toasts", "Roll back: done").await;
    browser.has("main table tbody tr", 2).await;
    let on_trial = "select count(*) from audit_log where action = 'line_rolled_back' and who = 'anna'";
    world.until("the rollback is audited", || async { world.count(on_trial, &[]).await == 1 }).await;
    browser.is_clean().await;

    browser.open("/audit").await;
    for action in ["line published", "line drafted", "line rolled back", "signed in"] {
        browser.says(".audit", action).await;
    }
    browser.says(".audit", NUMBER).await;
    // A click narrows the list, and the filter is in the address and in the form.
    browser.click("a[href='/audit?action=line_drafted']").await;
    browser.has(".audit tbody tr", 1).await;
    assert_eq!(browser.client.current_url().await.unwrap().query(), Some("action=line_drafted"));
    let typed = browser.shown("#filters [name=action]").await;
    assert_eq!(typed.prop("value").await.unwrap().as_deref(), Some("line drafted"));
    typed.clear().await.unwrap();
    typed.send_keys("line published").await.unwrap();
    browser.shown("#filters [name=who]").await.send_keys("anna").await.unwrap();
    browser.click("#filters button").await;
    browser.has(".audit tbody tr", 2).await;
    browser.open("/audit?who=nobody").await;
    browser.says("main .empty", "No row fits").await;
    browser.open("/audit?subject=x").await;
    browser.says("main", "subject must be an id").await;
    world.stop().await;
}
