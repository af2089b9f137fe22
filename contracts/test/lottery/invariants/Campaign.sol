// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Liquidation} from "./Liquidation.sol";

/// @notice All moves of a campaign; what stands with a larger number is offered more often.
contract Campaign is Liquidation {
    bytes4[] private _moves;

    function moves() external returns (bytes4[] memory) {
        _offerSales();
        _offerDays();
        _offerPayments();
        _offerPowers();
        _offerEnds();
        return _moves;
    }

    function _offer(bytes4 selector, uint256 times) private {
        for (; times != 0; --times) _moves.push(selector);
    }

    function _offerSales() private {
        _offer(this.playerBuysDirectly.selector, 6);
        _offer(this.relayerBuysForAPlayer.selector, 6);
        _offer(this.relayerBuysWithVouchers.selector, 6);
        _offer(this.walletContractBuys.selector, 4);
        _offer(this.salesWaitForTheFirstDay.selector, 3);
        _offer(this.salesStopOnLag.selector, 1);
        _offer(this.salesEndWithTheLastDay.selector, 2);
        _offer(this.salesStopDuringAPause.selector, 1);
        _offer(this.salesStopUnderAFee.selector, 1);
        _offer(this.blockedPlayerCannotBuy.selector, 1);
        _offer(this.vouchersStopAtTheCap.selector, 1);
        _offer(this.guardianPausesPurchases.selector, 1);
        _offer(this.salesOpenAgain.selector, 3);
    }

    function _offerDays() private {
        _offer(this.anyoneRequestsASeed.selector, 2);
        _offer(this.coordinatorAnswers.selector, 3);
        _offer(this.coordinatorAnswersForAVoidedDay.selector, 1);
        _offer(this.coordinatorAnswersTwice.selector, 1);
        _offer(this.keyIsUnknown.selector, 1);
        _offer(this.subscriptionIsEmpty.selector, 2);
        _offer(this.aSecondWordNeedsItsOwnLink.selector, 2);
        _offer(this.settlerCommits.selector, 3);
        _offer(this.settlersStolenKeyCommits.selector, 2);
        _offer(this.settlerCannotCommitWithoutAWord.selector, 3);
        _offer(this.guardianVetoes.selector, 2);
        _offer(this.ownerVetoes.selector, 2);
        _offer(this.anyoneReleases.selector, 6);
        _offer(this.guardianSleepsThroughAForgery.selector, 2);
        _offer(this.anyoneVoidsAnEmptyDay.selector, 1);
        _offer(this.ownerVoidsAWordlessDay.selector, 2);
        _offer(this.anyoneVoidsAWordlessDay.selector, 2);
        _offer(this.aYoungRequestDelaysTheVoid.selector, 1);
        _offer(this.anyoneVoidsADrawnDay.selector, 2);
        _offer(this.daysCatchUp.selector, 3);
        _offer(this.timePasses.selector, 3);
        _offer(this.allSleep.selector, 1);
    }

    function _offerPayments() private {
        _offer(this.anyoneClaims.selector, 5);
        _offer(this.routerClaimsMany.selector, 3);
        _offer(this.guardianPausesClaims.selector, 1);
        _offer(this.aPauseOfClaimsEndsEarly.selector, 1);
        _offer(this.aPauseOfClaimsEndsByItself.selector, 2);
        _offer(this.anyoneRefundsATicket.selector, 3);
        _offer(this.anyoneRefundsManyTickets.selector, 2);
        _offer(this.routerRefundsMany.selector, 2);
        _offer(this.anyoneRefundsVouchers.selector, 2);
        _offer(this.vouchersAreRefundedToAPayee.selector, 2);
        _offer(this.anAccountNamesAPayee.selector, 1);
        _offer(this.anAccountTakesItsPayeeBack.selector, 1);
        _offer(this.aBlockedAccountIsPaidThroughItsPayee.selector, 1);
        _offer(this.tokenBlocksSomebody.selector, 2);
        _offer(this.tokenUnblocksSomebody.selector, 4);
        _offer(this.tokenStartsToTakeAFee.selector, 2);
        _offer(this.tokenStopsToTakeAFee.selector, 3);
        _offer(this.aGiftArrives.selector, 1);
        _offer(this.anyoneWithdrawsFees.selector, 1);
        _offer(this.anyoneWithdrawsGas.selector, 1);
        _offer(this.anyoneWithdrawsCharity.selector, 2);
        _offer(this.aBlockedReceiverIsNotPaid.selector, 1);
        _offer(this.ownerPaysACharity.selector, 2);
        _offer(this.ownerRemovesACharity.selector, 1);
    }

    function _offerPowers() private {
        _offer(this.feeReceiverChanges.selector, 1);
        _offer(this.gasSafeChanges.selector, 1);
        _offer(this.voucherCapRises.selector, 1);
        _offer(this.giftsAreSwept.selector, 2);
        _offer(this.vrfConfigChanges.selector, 1);
        _offer(this.charityIsRegistered.selector, 2);
        _offer(this.ownerAnnouncesAnew.selector, 1);
        _offer(this.changeOfAReceiverIsCancelled.selector, 1);
        _offer(this.riseOfTheCapIsCancelled.selector, 1);
        _offer(this.sweepIsCancelled.selector, 1);
        _offer(this.vrfConfigIsCancelled.selector, 1);
        _offer(this.charityIsCancelled.selector, 1);
        _offer(this.anAnnouncementLapses.selector, 1);
        _offer(this.ownerLowersTheCap.selector, 1);
        _offer(this.aNewOwnerTakesOffice.selector, 1);
        _offer(this.aNewGuardianTakesOffice.selector, 1);
        _offer(this.aNewRelayerTakesOffice.selector, 2);
        _offer(this.aNewSettlerTakesOffice.selector, 2);
        _offer(this.aNewPromotionsAccountTakesOffice.selector, 1);
        _offer(this.theVouchersPayerLeavesOfficeDuringADay.selector, 2);
        _offer(this.aNewSettlerTakesAForgeryBack.selector, 2);
        _offer(this.anAccountNamedTwiceTakesOneOffice.selector, 1);
        _offer(this.aSuspendedKeyTakesOfficeAgain.selector, 1);
        _offer(this.ownerNamesASuccessor.selector, 1);
        _offer(this.ownerCancelsANaming.selector, 1);
        _offer(this.guardianCancelsANaming.selector, 1);
        _offer(this.aNamingLapses.selector, 1);
        _offer(this.ownerRemovesTheSettler.selector, 1);
        _offer(this.ownerRemovesTheRelayer.selector, 1);
        _offer(this.guardianSuspendsTheSettler.selector, 1);
        _offer(this.guardianSuspendsTheRelayer.selector, 1);
        _offer(this.guardianStopsAStolenKey.selector, 2);
        _offer(this.ownerLiftsASuspension.selector, 4);
        _offer(this.ownerSetsARate.selector, 1);
        _offer(this.ownerSchedulesARuleset.selector, 2);
        _offer(this.aRulesetIsCancelled.selector, 1);
    }

    function _offerEnds() private {
        _offer(this.ownerAnnouncesAnEnd.selector, 1);
        _offer(this.ownerCancelsAnEnd.selector, 1);
        _offer(this.guardianCancelsAnEnd.selector, 1);
        _offer(this.aLapsedDrawTurnsTheEndToTheHeir.selector, 2);
        _offer(this.aLapsedDrawBarsOtherReceivers.selector, 1);
        _offer(this.theReceiverStopsToAnswer.selector, 1);
        _offer(this.theReceiverAnswersAgain.selector, 3);
        _offer(this.theGameIsAbandoned.selector, 1);
        _offer(this.ownerComesBackToAnAbandonedGame.selector, 1);
        _offer(this.aReleaseRevivesAnAbandonedGame.selector, 1);
        _offer(this.anyoneFinishesTheGame.selector, 1);
        _offer(this.anyoneFinishesAnAbandonedGame.selector, 1);
    }
}
